// Who this device is and where it connects. The texts live as long as the program: TLS and MQTT keep pointers to them.
#pragma once
#include <stdint.h>

struct Credentials {
  const char *wifiSsid;
  const char *wifiPassword;
  const char *host;
  uint16_t port;
  const char *alpn;  // "" offers none
  const char *clientId;
  const char *username;
  const char *password;
  const char *topic;      // to publish to; "" where nothing is granted
  const char *subscribe;  // a topic filter; "" where nothing is granted
  bool retain;            // whether AWS IoT takes retained messages from this client
  bool will;              // whether it may leave a last will
  bool emulator;          // the root CA is an emulator's
  const char *rootCa;     // PEM; in flash, so read it with what can read from there
};

// From include/secrets.h (src/credentials.cpp), or from the partition `creds` (src/credentials_nvs.cpp).
const Credentials &credentials();

// Where to get credentials if there are none, else null.
const char *missingCredentials();
