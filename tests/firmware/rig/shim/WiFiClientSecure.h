// TLS by the two cores' names: mbedTLS's on an ESP32, BearSSL's on an ESP8266. What one lacks does not compile here.
#pragma once
#include "Arduino.h"
#include "Client.h"
#include "tls.h"
#if defined(ESP8266)
#include "bearssl/bearssl.h"
#endif

class SecureClient : public Client {
 public:
  using Client::write;
  int connect(IPAddress address, uint16_t port) override { return connect(address.toString().c_str(), port); }
  int connect(const char *host, uint16_t port) override = 0;
  size_t write(uint8_t byte) override { return tls_.write(&byte, 1); }
  size_t write(const uint8_t *bytes, size_t size) override { return tls_.write(bytes, size); }
  int available() override { return tls_.available(); }
  int read() override {
    uint8_t byte;
    return tls_.read(&byte, 1) == 1 ? byte : -1;
  }
  int read(uint8_t *bytes, size_t size) override { return tls_.read(bytes, size); }
  int peek() override { return tls_.peek(); }
  void stop() override { tls_.close(); }
  uint8_t connected() override { return tls_.isOpen(); }
  operator bool() override { return connected(); }
  void setTimeout(unsigned long) {}

 protected:
  rig::Tls tls_;
  rig::Failure failure_ = rig::Failure::none;
};

#if defined(ESP32)

class WiFiClientSecure : public SecureClient {
 public:
  void setCACert(const char *pem) { trusted_ = pem; }
  void setAlpnProtocols(const char **protocols) { protocols_ = protocols; }
  void setHandshakeTimeout(unsigned long) {}
  int connect(const char *host, uint16_t port) override;
  using SecureClient::connect;
  int lastError(char *text, size_t size);

 private:
  const char *trusted_ = nullptr;      // pointers, as in the real class: what they point to must live on
  const char **protocols_ = nullptr;
};

#elif defined(ESP8266)

namespace BearSSL {

class X509List {
 public:
  X509List() {}
  explicit X509List(const char *pem) : pem_(pem) {}
  bool append(const char *pem) {
    pem_ += pem;
    return true;
  }
  const std::string &pem() const { return pem_; }

 private:
  std::string pem_;
};

class Session {};

class WiFiClientSecure : public SecureClient {
 public:
  void setTrustAnchors(const X509List *anchors) { anchors_ = anchors; }
  void setX509Time(time_t) {}
  void setSession(Session *) {}
  void setBufferSizes(int receive, int) { receiveBytes_ = receive; }
  bool getMFLNStatus() { return tls_.hasShortRecords(); }
  static bool probeMaxFragmentLength(const char *, uint16_t, uint16_t);
  int connect(const char *host, uint16_t port) override;
  using SecureClient::connect;
  int getLastSSLError(char *text = nullptr, size_t size = 0);

 private:
  const X509List *anchors_ = nullptr;
  int receiveBytes_ = 16384;
};

}  // namespace BearSSL

using BearSSL::WiFiClientSecure;

#endif
