// A device that connects to AWS IoT Core through a custom authorizer: MQTT over TLS on port 443 with ALPN `mqtt`.
#include <Arduino.h>

#include "credentials.h"
#include "uplink.h"
#include "session.h"

static void sayWhoIAm() {
  const Credentials &who = credentials();
  Serial.printf("\r\niotauth: client `%s` at %s:%u\r\n", who.clientId, who.host, who.port);
  if (who.emulator)
    Serial.printf("*** EMULATOR: this firmware trusts a test CA, reaches nothing at AWS and must not be shipped ***\r\n");
}

void setup() {
  Serial.begin(115200);
  if (missingCredentials()) return;
  sayWhoIAm();
  beginUplink();
  beginSession();
}

void loop() {
  if (missingCredentials()) {
    Serial.printf("iotauth: no credential in this firmware: %s\r\n", missingCredentials());
    delay(10000);
    return;
  }
  if (uplinkIsReady()) keepSession();
  delay(10);
}
