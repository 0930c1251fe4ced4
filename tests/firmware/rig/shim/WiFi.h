#pragma once
#if !defined(ESP32)
#error "WiFi.h is the ESP32's; the ESP8266 has ESP8266WiFi.h"
#endif
#include "station.h"
