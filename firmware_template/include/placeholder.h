// What secrets.h holds, with nothing in it: this is built while there is no include/secrets.h.
// Get one with `iotauth secrets render thermo-1 --format header`, or let `iotauth flash` do everything.
#pragma once

#define IOTAUTH_PLACEHOLDER

#define WIFI_SSID ""
#define WIFI_PASSWORD ""

#define MQTT_HOST ""  // of `aws iot describe-endpoint --endpoint-type iot:Data-ATS`
#define MQTT_PORT 443
#define MQTT_ALPN "mqtt"  // "" for an endpoint of its own domain configuration that wants none

#define MQTT_CLIENT_ID ""
#define MQTT_USERNAME ""  // with `?x-amz-customauthorizer-name=…`
#define MQTT_PASSWORD ""

#define MQTT_TOPIC ""      // to publish to
#define MQTT_SUBSCRIBE ""  // a topic filter; "" subscribes to nothing
#define MQTT_RETAIN 0      // 1 where retained messages are granted
#define MQTT_WILL 0        // 1 where a last will is granted

static const char MQTT_ROOT_CA[] PROGMEM = "";  // Amazon Root CA 1, as PEM
