// Your part: what the device measures and what it does when told to. Change src/application.cpp.
#pragma once
#include <stddef.h>
#include <stdint.h>

static const unsigned long MEASURE_EVERY_MS = 60000;

// Write what is to be published into `message`.
void measure(char *message, size_t size);

// Called for each message that comes.
void onMessage(const char *topic, const uint8_t *payload, size_t size);
