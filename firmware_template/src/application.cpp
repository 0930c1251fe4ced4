#include "application.h"

#include <Arduino.h>

void measure(char *message, size_t size) { snprintf(message, size, "{\"online\":true,\"uptime_ms\":%lu}", millis()); }

void onMessage(const char *, const uint8_t *, size_t) {}
