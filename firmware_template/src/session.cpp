#include "session.h"

#include <Arduino.h>
#include <PubSubClient.h>

#include "application.h"
#include "backoff.h"
#include "credentials.h"
#include "uplink.h"
#include "words.h"

static const uint16_t KEEP_ALIVE_S = 60;              // AWS IoT takes 30 to 1200
static const size_t SMALLEST_BUFFER = 1024;           // bytes
static const unsigned long STANDS_AFTER_MS = 30000;   // then the next failure waits short again
static const char *const GONE = "{\"online\":false}";

static PubSubClient mqtt;
static Backoff backoff;
static bool wasConnected = false;
static unsigned long connectedAt = 0, triedAt = 0, waitMs = 0, measuredAt = 0;

static const char *willTopic() { return credentials().will ? credentials().topic : nullptr; }

// PubSubClient's buffer has 256 bytes, and a CONNECT that does not fit fails without a word: so it is computed.
static size_t connectBytes() {
  const Credentials &who = credentials();
  size_t bytes = 5 + 10 + 6 + strlen(who.clientId) + strlen(who.username) + strlen(who.password);
  if (willTopic()) bytes += 4 + strlen(willTopic()) + strlen(GONE);
  return bytes;
}

static void receive(char *topic, uint8_t *payload, unsigned int size) {
  Serial.printf("received on %s: %.*s\r\n", topic, (int)size, (const char *)payload);
  onMessage(topic, payload, size);
}

void beginSession() {
  const size_t bytes = connectBytes();
  mqtt.setClient(tlsClient());
  mqtt.setServer(credentials().host, credentials().port);
  mqtt.setKeepAlive(KEEP_ALIVE_S);
  mqtt.setCallback(receive);
  if (bytes > 65535 || !mqtt.setBufferSize(bytes > SMALLEST_BUFFER ? bytes : SMALLEST_BUFFER))
    Serial.printf("mqtt: no memory for a CONNECT of %u bytes\r\n", (unsigned)bytes);
}

static void whenConnected() {
  const Credentials &who = credentials();
  Serial.printf("mqtt: connected as `%s`\r\n", who.clientId);
  wasConnected = true;
  connectedAt = millis();
  measuredAt = millis() - MEASURE_EVERY_MS;  // the first at once
  if (*who.subscribe) {
    mqtt.subscribe(who.subscribe, 1);
    Serial.printf("mqtt: subscribed to %s\r\n", who.subscribe);
  }
}

static void whenRefused() {
  char text[128];
  const int tlsCode = lastTlsError(text, sizeof text);
  waitMs = backoff.next();
  Serial.printf("mqtt: not connected, state %d, tls %d (%s): %s\r\n", mqtt.state(), tlsCode, text,
                mqttAdvice(mqtt.state(), tlsCode));
  if (!*credentials().alpn)
    Serial.printf("mqtt: no ALPN is offered, and only an endpoint of its own domain configuration does without\r\n");
  Serial.printf("mqtt: next try in %lu ms\r\n", waitMs);
}

static void whenLost() {
  const unsigned long stood = millis() - connectedAt;
  wasConnected = false;
  if (stood >= STANDS_AFTER_MS) backoff.reset();
  triedAt = millis();
  waitMs = backoff.next();
  Serial.printf("mqtt: lost after %lu ms, state %d: %s\r\n", stood, mqtt.state(), lostAdvice(stood));
  Serial.printf("mqtt: next try in %lu ms\r\n", waitMs);
}

static void connectOnce() {
  const Credentials &who = credentials();
  Serial.printf("mqtt: connecting to %s:%u as `%s`, with a CONNECT of up to %u bytes\r\n", who.host, who.port,
                who.clientId, (unsigned)connectBytes());
  if (who.emulator) Serial.printf("*** EMULATOR: this firmware trusts a test CA and must not be shipped ***\r\n");
  prepareTls();
  const bool isLetIn =
      mqtt.connect(who.clientId, who.username, who.password, willTopic(), 0, who.will && who.retain, GONE);
  triedAt = millis();
  isLetIn ? whenConnected() : whenRefused();
}

bool publish(const char *message) {
  const Credentials &who = credentials();
  if (!*who.topic) return false;
  const bool isSent = mqtt.publish(who.topic, message, who.retain);
  if (isSent) Serial.printf("published on %s: %s\r\n", who.topic, message);
  else Serial.printf("not published on %s: no connection, or the message does not fit\r\n", who.topic);
  return isSent;
}

static void measureNowAndThen() {
  if (millis() - measuredAt < MEASURE_EVERY_MS) return;
  measuredAt = millis();
  char message[256];
  measure(message, sizeof message);
  publish(message);
}

void keepSession() {
  if (mqtt.connected()) {
    mqtt.loop();
    measureNowAndThen();
  } else if (wasConnected) {
    whenLost();
  } else if (millis() - triedAt >= waitMs) {
    connectOnce();
  }
}
