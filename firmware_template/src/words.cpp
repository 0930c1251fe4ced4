#include "words.h"

#include <PubSubClient.h>

#if defined(ESP8266)
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif

static const char *const UNREACHED =
    "the host was not reached, or it hung up: check its name, the port, and that this network lets that port out";
static const char *const UNTRUSTED =
    "the server's certificate does not lead to the root CA in the credential: wrong root CA, or another server answers";
static const char *const OTHER_NAME = "the server's certificate is for another name: check the host";
static const char *const REFUSED_TLS =
    "the server ended the TLS handshake: check its name, and that ALPN `mqtt` is offered on port 443";
static const char *const NO_MEMORY = "no memory for TLS: the program uses too much of it";

#if defined(ESP8266)
// Codes of BearSSL (bearssl_ssl.h, bearssl_x509.h); 256 and more is an alert that the server sent.
static const char *tlsAdvice(int code) {
  if (code >= 256) return REFUSED_TLS;
  switch (code) {
    case 0: return UNREACHED;
    case 54: return "the server's certificate is expired or not yet valid by this device's clock: check the clock";
    case 56: return OTHER_NAME;
    case 62: return UNTRUSTED;
    case -1000: return NO_MEMORY;
    default: return "TLS failed: check the host, the root CA and the clock";
  }
}
#else
// Codes of mbed TLS (ssl.h, x509.h); -1 is the core's own for "no address" and "no TCP connection".
static const char *tlsAdvice(int code) {
  switch (code) {
    case -1: return UNREACHED;
    case -0x2700: return UNTRUSTED;
    case -0x7780: return REFUSED_TLS;
    case -0x7280: return REFUSED_TLS;
    case -0x7F00: return NO_MEMORY;
    default: return "TLS failed: check the host and the root CA";
  }
}
#endif

const char *mqttAdvice(int state, int tlsCode) {
  switch (state) {
    case MQTT_CONNECT_FAILED: return tlsAdvice(tlsCode);
    case MQTT_CONNECTION_TIMEOUT:
      return "the server did not let this client in: check the password, the client id, the authorizer's name in the "
             "user name, and ALPN `mqtt` on port 443; `iotauth test-connect` says which";
    case MQTT_CONNECTION_LOST: return "the connection ended while it was made: check the network";
    case MQTT_DISCONNECTED: return "the CONNECT packet was not sent: it does not fit the buffer";
    case MQTT_CONNECT_BAD_PROTOCOL: return "the server does not speak MQTT 3.1.1: check host and port";
    case MQTT_CONNECT_BAD_CLIENT_ID: return "the server does not take this client id";
    case MQTT_CONNECT_UNAVAILABLE: return "the server is not available";
    case MQTT_CONNECT_BAD_CREDENTIALS: return "the user name or the password is wrong";
    case MQTT_CONNECT_UNAUTHORIZED: return "this client is not let in: check password, client id and authorizer";
    default: return "the server refused with a code that MQTT does not have";
  }
}

const char *lostAdvice(unsigned long stoodMs) {
  if (stoodMs < 10000)
    return "it ended at once: AWS IoT closes on a topic that is not granted, and when the client id connects twice";
  return "the network went, the credential was withdrawn, or its time was over";
}

const char *wifiAdvice(int status) {
  switch (status) {
    case WL_NO_SSID_AVAIL: return "no network of this name is in reach: check the name; the chip hears 2.4 GHz only";
#if defined(ESP8266)
    case WL_WRONG_PASSWORD:
#endif
    case WL_CONNECT_FAILED: return "the access point refused: check the Wi-Fi password";
    default: return "still trying: check the Wi-Fi password, and how far the access point is";
  }
}
