// One TLS connection over OpenSSL, limited to what the chips can do: TLS 1.2, and no verification without a CA.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace rig {

enum class Failure { none, unreachable, noTrust, untrusted, expired, otherName, alert, closed, tooLarge };

struct Wish {
  std::string host;
  uint16_t port;
  std::string trusted;  // PEM
  std::vector<std::string> protocols;
  bool checksDates;
  size_t receiveBytes;  // of the buffer for a record; less than 16384 asks the server for short ones
};

bool serverKnowsShortRecords();

class Tls {
 public:
  ~Tls() { close(); }
  Failure open(const Wish &wish);
  void close();
  bool isOpen();
  int available();
  int read(uint8_t *bytes, size_t size);
  int peek();
  size_t write(const uint8_t *bytes, size_t size);
  int alert() const { return alert_; }
  bool hasShortRecords() const { return hasShortRecords_; }

 private:
  bool dial(const Wish &wish);
  Failure handshake(const Wish &wish);
  Failure explain();

  ssl_ctx_st *context_ = nullptr;
  ssl_st *session_ = nullptr;
  int socket_ = -1;
  bool ended_ = false;
  bool hasShortRecords_ = false;
  int alert_ = 0;
};

}  // namespace rig
