// What the firmware says on the serial port when something is wrong: the cause, and what to look at.
#pragma once
#include <stddef.h>

// What to check after PubSubClient's connect() left `state` and TLS left `tlsCode`.
const char *mqttAdvice(int state, int tlsCode);

// Why a connection that stood has ended.
const char *lostAdvice(unsigned long stoodMs);

// What to check while Wi-Fi is in `status`. The ESP32 has one status for a wrong password and for a weak signal.
const char *wifiAdvice(int status);
