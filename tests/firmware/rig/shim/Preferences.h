// Reads a real NVS partition out of the flash that RIG_FLASH names: ESP-IDF, "Non-volatile storage", format version 2.
#pragma once
#if !defined(ESP32)
#error "only the ESP32 has Preferences with NVS below"
#endif
#include <map>

#include "Arduino.h"

class Preferences {
 public:
  bool begin(const char *space, bool readOnly = false, const char *label = nullptr);
  void end() {}
  bool isKey(const char *key) { return texts_.count(key) || numbers_.count(key); }
  String getString(const char *key, const String &otherwise = String()) {
    return texts_.count(key) ? String(texts_[key]) : otherwise;
  }
  uint16_t getUShort(const char *key, uint16_t otherwise = 0) {
    return numbers_.count(key) ? (uint16_t)numbers_[key] : otherwise;
  }
  uint8_t getUChar(const char *key, uint8_t otherwise = 0) {
    return numbers_.count(key) ? (uint8_t)numbers_[key] : otherwise;
  }

 private:
  std::map<std::string, std::string> texts_;
  std::map<std::string, uint64_t> numbers_;
};
