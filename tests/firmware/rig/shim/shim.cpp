#include <chrono>
#include <csignal>
#include <random>
#include <thread>
#include <unistd.h>

#include "Arduino.h"
#include "station.h"

HardwareSerial Serial;
EspClass ESP;
WiFiClass WiFi;

// RIG_SPEED=20: the chip's time runs twenty times as fast, so that a test sees a minute of waiting in three seconds.
static double speed() {
  static const char *told = getenv("RIG_SPEED");
  static const double factor = told ? atof(told) : 1;
  return factor;
}

static double seconds() {
  using namespace std::chrono;
  static const steady_clock::time_point start = steady_clock::now();
  return duration<double>(steady_clock::now() - start).count() * speed();
}

unsigned long millis() { return (unsigned long)(seconds() * 1000); }
void delay(unsigned long ms) { std::this_thread::sleep_for(std::chrono::duration<double>(ms / 1000.0 / speed())); }
void yield() {}

static std::random_device dice;
long random(long end) { return end > 0 ? (long)(dice() % (unsigned long)end) : 0; }
long random(long begin, long end) { return begin + random(end - begin); }
#if defined(ESP32)
uint32_t esp_random() { return dice(); }
#else
uint32_t EspClass::random() { return dice(); }
#endif

// The chip's clock starts at 1970 and is right a moment after configTime. This replaces the C library's for OpenSSL
// too, which is how a certificate's dates come to be wrong without it. RIG_CLOCK=no: the time servers do not answer.
static double askedForTime = -1;
extern "C" time_t time(time_t *out) noexcept {
  static const char *told = getenv("RIG_CLOCK");
  const bool isSet = askedForTime >= 0 && seconds() > askedForTime + 0.02 && !(told && !strcmp(told, "no"));
  time_t now = isSet ? std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) : (time_t)seconds();
  if (out) *out = now;
  return now;
}

void configTime(long, int, const char *, const char *, const char *) { askedForTime = seconds(); }

size_t HardwareSerial::write(const uint8_t *bytes, size_t size) {
  const size_t written = fwrite(bytes, 1, size, stdout);
  fflush(stdout);
  return written;
}

void EspClass::restart() {
  exit(75);  // told apart from an end by itself
}

wl_status_t WiFiClass::begin(const char *name, const char *password) {
  const char *told = getenv("RIG_WIFI");
  const std::string network = told ? told : std::string(name) + "/" + password;
  if (network == std::string(name) + "/" + password) status_ = WL_CONNECTED;
  else if (network.compare(0, strlen(name) + 1, std::string(name) + "/")) status_ = WL_NO_SSID_AVAIL;
#if defined(ESP8266)
  else status_ = WL_WRONG_PASSWORD;
#else
  else status_ = WL_CONNECT_FAILED;
#endif
  return status_;
}

int main() {
  signal(SIGPIPE, SIG_IGN);
  millis();
  setup();
  while (!ferror(stdout)) loop();  // nobody listens to the serial port any more
}
