// The only file that sees secrets.h: another device's credential recompiles this and nothing else.
#ifndef IOTAUTH_CREDENTIALS_NVS
#include "credentials.h"

#include <Arduino.h>

#if __has_include("secrets.h")
#include "secrets.h"
#else
#include "placeholder.h"
#endif

#ifndef MQTT_SUBSCRIBE
#define MQTT_SUBSCRIBE ""
#endif

#ifdef IOTAUTH_EMULATOR
#pragma message("THIS FIRMWARE TRUSTS AN EMULATOR: it reaches nothing at AWS and must not be shipped")
static const bool isForEmulator = true;
#else
static const bool isForEmulator = false;
#endif

static const Credentials fromHeader = {
    WIFI_SSID,     WIFI_PASSWORD,  MQTT_HOST,        MQTT_PORT,      MQTT_ALPN,     MQTT_CLIENT_ID, MQTT_USERNAME,
    MQTT_PASSWORD, MQTT_TOPIC,     MQTT_SUBSCRIBE,   MQTT_RETAIN != 0, MQTT_WILL != 0, isForEmulator,  MQTT_ROOT_CA,
};

const Credentials &credentials() { return fromHeader; }

const char *missingCredentials() {
#ifdef IOTAUTH_PLACEHOLDER
  return "run `iotauth flash`, or put what `iotauth secrets render --format header` writes into include/";
#else
  return nullptr;
#endif
}
#endif
