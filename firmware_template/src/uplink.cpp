#include "uplink.h"

#include <Arduino.h>
#include <time.h>
#if defined(ESP8266)
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif
#include <WiFiClientSecure.h>

#include "credentials.h"
#include "words.h"

static const unsigned long SAY_EVERY_MS = 10000;
static const time_t CLOCK_IS_SET = 1700000000;  // any time after 2023: the clock starts at 1970

static WiFiClientSecure tls;

void beginUplink() {
  WiFi.persistent(false);  // the credential has its place; a second copy in flash would outlive it
  WiFi.mode(WIFI_STA);
  WiFi.setAutoReconnect(true);
  Serial.printf("wifi: joining `%s`\r\n", credentials().wifiSsid);
  WiFi.begin(credentials().wifiSsid, credentials().wifiPassword);
  configTime(0, 0, "pool.ntp.org", "time.nist.gov");
}

static bool sayNowAndThen() {
  static unsigned long saidAt = 0;
  if (millis() - saidAt < SAY_EVERY_MS) return false;
  saidAt = millis();
  return true;
}

static bool wifiIsUp() {
  static bool wasUp = false;
  static unsigned timesSaid = 0;
  const int status = WiFi.status();
  const bool isUp = status == WL_CONNECTED;
  if (isUp && !wasUp) Serial.printf("wifi: joined, address %s\r\n", WiFi.localIP().toString().c_str());
  if (!isUp && wasUp) Serial.printf("wifi: lost\r\n");
  if (!isUp && sayNowAndThen()) {
    Serial.printf("wifi: not joined, status %d: %s\r\n", status, wifiAdvice(status));
    if (++timesSaid % 3 == 0) WiFi.begin(credentials().wifiSsid, credentials().wifiPassword);  // it may have given up
  }
  wasUp = isUp;
  return isUp;
}

// BearSSL checks a certificate's dates. The ESP32's mbed TLS is built without that, and needs no clock.
static bool clockIsSet() {
#if defined(ESP8266)
  if (time(nullptr) >= CLOCK_IS_SET) return true;
  if (sayNowAndThen())
    Serial.printf("clock: not set, and certificates have dates: check that UDP port 123 (NTP) is let out\r\n");
  return false;
#else
  return true;
#endif
}

bool uplinkIsReady() { return wifiIsUp() && clockIsSet(); }

Client &tlsClient() { return tls; }

#if defined(ESP8266)

static const int SHORT_RECORD = 1024, LONGEST_RECORD = 16384;  // bytes

void prepareTls() {
  static BearSSL::X509List roots(credentials().rootCa);
  static bool takesShortRecords = false;
  tls.setTrustAnchors(&roots);
  // The server may agree to short records, which leaves 15 KiB of the 40 KiB heap to the program.
  if (!takesShortRecords)
    takesShortRecords = tls.probeMaxFragmentLength(credentials().host, credentials().port, SHORT_RECORD);
  tls.setBufferSizes(takesShortRecords ? SHORT_RECORD : LONGEST_RECORD, SHORT_RECORD);
}

int lastTlsError(char *text, size_t size) { return tls.getLastSSLError(text, size); }

#else

void prepareTls() {
  static const char *protocols[] = {credentials().alpn, nullptr};
  tls.setCACert(credentials().rootCa);
  if (*credentials().alpn) tls.setAlpnProtocols(protocols);
}

int lastTlsError(char *text, size_t size) {
  snprintf(text, size, "OK");
  return tls.lastError(text, size);
}

#endif
