#pragma once
#if !defined(ESP8266)
#error "ESP8266WiFi.h is the ESP8266's; the ESP32 has WiFi.h"
#endif
#include "WiFiClientSecure.h"
#include "station.h"
