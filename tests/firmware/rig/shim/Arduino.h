// Arduino for this computer: what the firmware template uses of the cores for ESP32 and ESP8266, under their names.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>

#include "IPAddress.h"
#include "Print.h"
#include "Stream.h"
#include "WString.h"

typedef bool boolean;
typedef uint8_t byte;

#define PROGMEM
#define PGM_P const char *
#define PSTR(text) (text)
#define F(text) (text)
#define FPSTR(text) (text)
#define pgm_read_byte(address) (*(const uint8_t *)(address))
#define strlen_P strlen
#define memcpy_P memcpy
#define strcpy_P strcpy
#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define LED_BUILTIN 2

unsigned long millis();
void delay(unsigned long ms);
void yield();
long random(long end);
long random(long begin, long end);
void configTime(long offset, int daylight, const char *first, const char *second = nullptr, const char *third = nullptr);
inline void pinMode(int, int) {}
inline void digitalWrite(int, int) {}

#if defined(ESP32)
uint32_t esp_random();
#endif

class HardwareSerial : public Stream {
 public:
  using Print::write;
  void begin(unsigned long) {}
  void setDebugOutput(bool) {}
  size_t write(uint8_t byte) override { return write(&byte, 1); }
  size_t write(const uint8_t *bytes, size_t size) override;
  int available() override { return 0; }
  int read() override { return -1; }
  int peek() override { return -1; }
  operator bool() const { return true; }
};
extern HardwareSerial Serial;

class EspClass {
 public:
  [[noreturn]] void restart();
  uint32_t getFreeHeap() { return 200000; }
#if defined(ESP8266)
  uint32_t random();
  uint32_t getMaxFreeBlockSize() { return 30000; }
#endif
};
extern EspClass ESP;

void setup();
void loop();
