#include "tls.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace rig {

// RIG_CONNECT=host:port takes the TCP connection there; the server name and its check stay with the asked host.
bool Tls::dial(const Wish &wish) {
  std::string host = wish.host, port = std::to_string(wish.port);
  if (const char *elsewhere = getenv("RIG_CONNECT")) {
    std::string address = elsewhere;
    host = address.substr(0, address.rfind(':'));
    port = address.substr(address.rfind(':') + 1);
  }
  addrinfo hints = addrinfo(), *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found)) return false;
  for (addrinfo *each = found; each && socket_ < 0; each = each->ai_next) {
    int candidate = ::socket(each->ai_family, each->ai_socktype, each->ai_protocol);
    if (candidate >= 0 && ::connect(candidate, each->ai_addr, each->ai_addrlen) == 0) socket_ = candidate;
    else if (candidate >= 0) ::close(candidate);
  }
  freeaddrinfo(found);
  return socket_ >= 0;
}

static int trust(SSL_CTX *context, const std::string &pem) {
  BIO *text = BIO_new_mem_buf(pem.data(), (int)pem.size());
  int count = 0;
  while (X509 *certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
    X509_free(certificate);
    count++;
  }
  BIO_free(text);
  ERR_clear_error();
  return count;
}

// RIG_SHORT_RECORDS=no: the server ignores the extension, as many do.
bool serverKnowsShortRecords() {
  const char *told = getenv("RIG_SHORT_RECORDS");
  return !told || strcmp(told, "no");
}

static int fragmentCode(size_t bytes) {
  return bytes >= 4096 ? TLSEXT_max_fragment_length_4096
         : bytes >= 2048 ? TLSEXT_max_fragment_length_2048
         : bytes >= 1024 ? TLSEXT_max_fragment_length_1024
                         : TLSEXT_max_fragment_length_512;
}

Failure Tls::open(const Wish &wish) {
  close();
  alert_ = 0;
  ended_ = false;
  if (!dial(wish)) return Failure::unreachable;
  Failure failure = handshake(wish);
  if (failure != Failure::none) close();
  return failure;
}

Failure Tls::handshake(const Wish &wish) {
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  if (!trust(context_, wish.trusted)) return Failure::noTrust;
  if (!wish.checksDates) X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context_), X509_V_FLAG_NO_CHECK_TIME);
  const bool asksForShortRecords = wish.receiveBytes < 16384;
  if (asksForShortRecords && serverKnowsShortRecords()) SSL_CTX_set_tlsext_max_fragment_length(context_, fragmentCode(wish.receiveBytes));
  std::string offered;
  for (const std::string &protocol : wish.protocols) offered += (char)protocol.size() + protocol;
  SSL_CTX_set_alpn_protos(context_, (const unsigned char *)offered.data(), offered.size());
  session_ = SSL_new(context_);
  SSL_set_fd(session_, socket_);
  SSL_set_tlsext_host_name(session_, wish.host.c_str());
  SSL_set1_host(session_, wish.host.c_str());
  ERR_clear_error();
  if (SSL_connect(session_) != 1) return explain();
  hasShortRecords_ = SSL_SESSION_get_max_fragment_length(SSL_get_session(session_)) != TLSEXT_max_fragment_length_DISABLED;
  return asksForShortRecords && !hasShortRecords_ ? Failure::tooLarge : Failure::none;
}

Failure Tls::explain() {
  switch (SSL_get_verify_result(session_)) {
    case X509_V_OK: break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return Failure::expired;
    case X509_V_ERR_HOSTNAME_MISMATCH: return Failure::otherName;
    default: return Failure::untrusted;
  }
  int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (reason <= SSL_AD_REASON_OFFSET) return Failure::closed;
  alert_ = reason - SSL_AD_REASON_OFFSET;
  return Failure::alert;
}

void Tls::close() {
  if (session_) {
    if (SSL_is_init_finished(session_)) SSL_shutdown(session_);
    SSL_free(session_);
  }
  if (context_) SSL_CTX_free(context_);
  if (socket_ >= 0) ::close(socket_);
  session_ = nullptr;
  context_ = nullptr;
  socket_ = -1;
}

int Tls::available() {
  if (!session_ || ended_) return 0;
  if (SSL_pending(session_)) return SSL_pending(session_);
  pollfd readable = {socket_, POLLIN, 0};
  if (poll(&readable, 1, 1) <= 0) return 0;
  uint8_t byte;
  int got = SSL_peek(session_, &byte, 1);
  if (got <= 0 && SSL_get_error(session_, got) != SSL_ERROR_WANT_READ) ended_ = true;
  return SSL_pending(session_);
}

bool Tls::isOpen() { return session_ && (available() || !ended_); }

int Tls::peek() {
  uint8_t byte;
  return available() && SSL_peek(session_, &byte, 1) == 1 ? byte : -1;
}

int Tls::read(uint8_t *bytes, size_t size) {
  return size && available() ? SSL_read(session_, bytes, (int)size) : -1;
}

size_t Tls::write(const uint8_t *bytes, size_t size) {
  int written = session_ && size ? SSL_write(session_, bytes, (int)size) : 0;
  return written > 0 ? written : 0;
}

}  // namespace rig
