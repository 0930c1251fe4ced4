// Connects to AWS IoT Core through a custom authorizer: MQTT over TLS on port 443, with ALPN `mqtt`.
#include <Arduino.h>
#include <PubSubClient.h>
#include <time.h>
#if defined(ESP8266)
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif
#include <WiFiClientSecure.h>

#if !__has_include("secrets.h")
#error "include/secrets.h is missing: copy include/secrets.h.example and fill it in"
#endif
#include "secrets.h"

static const unsigned long FIRST_RETRY_MS = 1000;
static const unsigned long LONGEST_RETRY_MS = 60000;
static const unsigned long PUBLISH_EVERY_MS = 5000;
static const time_t CLOCK_IS_SET = 1700000000;  // any time after 2023: the clock starts at 1970

static WiFiClientSecure net;
static PubSubClient mqtt(net);

// Both classes keep pointers, so what they point to must live as long as they do.
#if defined(ESP8266)
static BearSSL::X509List trustAnchor(MQTT_ROOT_CA);
#else
static const char *protocols[] = {MQTT_ALPN, nullptr};
#endif

// PubSubClient's buffer is 256 bytes; a CONNECT that does not fit fails without a word (state -1).
static constexpr size_t CONNECT_BYTES =
    21 + sizeof(MQTT_CLIENT_ID) + sizeof(MQTT_USERNAME) + sizeof(MQTT_PASSWORD);
static constexpr size_t BUFFER_BYTES = CONNECT_BYTES > 1024 ? CONNECT_BYTES : 1024;

static void onMessage(char *topic, uint8_t *payload, unsigned int length) {
  Serial.printf("received on %s: %.*s\n", topic, (int)length, (const char *)payload);
}

// BearSSL checks certificate dates, so the ESP8266 needs the time before its first handshake.
static void waitForClock() {
  configTime(0, 0, "pool.ntp.org", "time.nist.gov");
  for (int tries = 0; tries < 60 && time(nullptr) < CLOCK_IS_SET; tries++) delay(500);
  if (time(nullptr) < CLOCK_IS_SET) Serial.println("the clock is not set: certificate checks will fail");
}

static void prepareTls() {
#if defined(ESP8266)
  net.setTrustAnchors(&trustAnchor);
#else
  net.setCACert(MQTT_ROOT_CA);
  net.setAlpnProtocols(protocols);
#endif
}

void setup() {
  Serial.begin(115200);
  WiFi.mode(WIFI_STA);
  WiFi.begin(WIFI_SSID, WIFI_PASSWORD);
  while (WiFi.status() != WL_CONNECTED) delay(250);
  Serial.print("wifi connected, address ");
  Serial.println(WiFi.localIP());
  waitForClock();
  prepareTls();
  mqtt.setServer(MQTT_HOST, MQTT_PORT);
  mqtt.setKeepAlive(60);  // AWS IoT takes 30 to 1200 seconds
  mqtt.setCallback(onMessage);
  if (!mqtt.setBufferSize(BUFFER_BYTES)) Serial.println("no memory for the MQTT buffer");
}

static const char *explain(int state) {
  switch (state) {
    case MQTT_CONNECTION_TIMEOUT: return "the server accepted TLS and stayed silent: check ALPN and port 443";
    case MQTT_CONNECTION_LOST: return "the server closed the connection";
    case MQTT_CONNECT_FAILED: return "no TLS connection: check host, port, root CA and the clock";
    case MQTT_DISCONNECTED: return "closed before CONNACK: wrong password, client id or authorizer name, "
                                   "or the CONNECT did not fit the buffer";
    default: return "refused by the server";
  }
}

static bool connectOnce() {
  Serial.printf("connecting to %s:%d as %s\n", MQTT_HOST, MQTT_PORT, MQTT_CLIENT_ID);
  if (!mqtt.connect(MQTT_CLIENT_ID, MQTT_USERNAME, MQTT_PASSWORD)) {
    Serial.printf("not connected, state %d: %s\n", mqtt.state(), explain(mqtt.state()));
    return false;
  }
  Serial.println("connected");
  mqtt.subscribe(MQTT_TOPIC "/command");
  return true;
}

// Doubles the wait after each failure and adds up to a quarter, so that a fleet does not return in step.
static unsigned long nextWait(unsigned long wait) {
  wait = wait ? wait * 2 : FIRST_RETRY_MS;
  if (wait > LONGEST_RETRY_MS) wait = LONGEST_RETRY_MS;
  return wait + random(wait / 4 + 1);
}

void loop() {
  static unsigned long wait = 0, triedAt = 0, publishedAt = 0;
  if (!mqtt.connected()) {
    if (millis() - triedAt < wait) return delay(10);
    wait = connectOnce() ? 0 : nextWait(wait);
    triedAt = millis();
    return;
  }
  mqtt.loop();
  if (millis() - publishedAt >= PUBLISH_EVERY_MS) {
    char message[48];
    snprintf(message, sizeof message, "{\"uptime_ms\":%lu}", millis());
    mqtt.publish(MQTT_TOPIC, message);
    publishedAt = millis();
  }
  delay(10);
}
