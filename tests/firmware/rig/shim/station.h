// Wi-Fi as a sketch sees it. RIG_WIFI="name/password" is the only network in reach; without it every network is.
#pragma once
#include "Arduino.h"

typedef enum {
  WL_IDLE_STATUS = 0,
  WL_NO_SSID_AVAIL = 1,
  WL_CONNECTED = 3,
  WL_CONNECT_FAILED = 4,
  WL_CONNECTION_LOST = 5,
#if defined(ESP8266)
  WL_WRONG_PASSWORD = 6,
  WL_DISCONNECTED = 7
#else
  WL_DISCONNECTED = 6
#endif
} wl_status_t;

typedef enum { WIFI_OFF = 0, WIFI_STA = 1 } WiFiMode_t;

class WiFiClass {
 public:
  bool mode(WiFiMode_t) { return true; }
  bool persistent(bool) { return true; }
  bool setAutoReconnect(bool) { return true; }
  bool setSleep(bool) { return true; }
  bool disconnect(bool = false) {
    status_ = WL_DISCONNECTED;
    return true;
  }
  wl_status_t begin(const char *name, const char *password);
  wl_status_t status() { return status_; }
  IPAddress localIP() { return IPAddress(127, 0, 0, 1); }
  String macAddress() { return "24:0A:C4:12:34:56"; }
  int8_t RSSI() { return -50; }

 private:
  wl_status_t status_ = WL_DISCONNECTED;
};
extern WiFiClass WiFi;
