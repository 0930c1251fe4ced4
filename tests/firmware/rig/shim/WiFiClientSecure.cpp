#include "WiFiClientSecure.h"

using rig::Failure;

#if defined(ESP32)

int WiFiClientSecure::connect(const char *host, uint16_t port) {
  rig::Wish wish = {host, port, trusted_ ? trusted_ : "", {}, false, 16384};  // mbedTLS is built without dates there
  for (const char **each = protocols_; each && *each; each++) wish.protocols.push_back(*each);
  failure_ = tls_.open(wish);
  return failure_ == Failure::none;
}

int WiFiClientSecure::lastError(char *text, size_t size) {
  switch (failure_) {
    case Failure::none: return 0;  // and leaves the text as it was
    case Failure::untrusted:
    case Failure::expired:
    case Failure::otherName:
      snprintf(text, size, "X509 - Certificate verification failed, e.g. CRL, CA or signature check failed");
      return -0x2700;
    case Failure::alert:
      snprintf(text, size, "SSL - A fatal alert message was received from our peer");
      return -0x7780;
    case Failure::closed:
      snprintf(text, size, "SSL - The connection indicated an EOF");
      return -0x7280;
    default: snprintf(text, size, "ERROR - Generic error"); return -1;
  }
}

#elif defined(ESP8266)

namespace BearSSL {

bool WiFiClientSecure::probeMaxFragmentLength(const char *, uint16_t, uint16_t) {
  return rig::serverKnowsShortRecords();
}

int WiFiClientSecure::connect(const char *host, uint16_t port) {
  br_ssl_client_context client = br_ssl_client_context();
  br_ssl_client_reset(&client, host, 0);
  rig::Wish wish = {host, port, anchors_ ? anchors_->pem() : "", {}, true, (size_t)receiveBytes_};
  for (size_t each = 0; each < client.eng.protocol_names_num; each++)
    wish.protocols.push_back(client.eng.protocol_names[each]);
  failure_ = tls_.open(wish);
  return failure_ == Failure::none;
}

int WiFiClientSecure::getLastSSLError(char *text, size_t size) {
  int code = 0;
  const char *words = "OK";
  switch (failure_) {
    case Failure::expired: code = 54, words = "Certificate is expired or not yet valid."; break;
    case Failure::otherName: code = 56, words = "Expected server name was not found in the chain."; break;
    case Failure::noTrust:
    case Failure::untrusted: code = 62, words = "Chain could not be linked to a trust anchor."; break;
    case Failure::tooLarge: code = 6, words = "Incoming record is too large to be processed."; break;
    case Failure::alert: code = 256 + tls_.alert(), words = "Unknown error code."; break;
    default: break;
  }
  if (text) snprintf(text, size, "%s", words);
  return code;
}

}  // namespace BearSSL

#endif
