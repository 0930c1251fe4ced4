#if defined(ESP32)
#include "Preferences.h"

#include <fstream>
#include <iterator>

static const size_t PAGE = 4096, HEADER = 64, ENTRY = 32, ENTRIES = 126;
static const int WRITTEN = 2;  // two bits for each entry: 3 empty, 2 written, 0 erased
static const int TEXT = 0x21, UNSIGNED_BYTE = 0x01;

static std::string readFlash() {
  const char *path = getenv("RIG_FLASH");
  std::ifstream file(path ? path : "", std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

template <class T>
static T number(const char *bytes) {
  T value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static std::string partition(const std::string &flash, const std::string &label) {
  for (size_t row = 0x8000; row + 32 <= flash.size() && number<uint16_t>(&flash[row]) == 0x50AA; row += 32)
    if (label == std::string(&flash[row + 12], strnlen(&flash[row + 12], 16)))
      return flash.substr(number<uint32_t>(&flash[row + 4]), number<uint32_t>(&flash[row + 8]));
  return "";
}

struct Entry {
  int space, type;
  std::string key;
  const char *value;
};

template <class Visit>
static void eachEntry(const std::string &bytes, Visit visit) {
  for (size_t start = 0; start + PAGE <= bytes.size(); start += PAGE) {
    const char *page = &bytes[start];
    if (number<uint32_t>(page) == 0xFFFFFFFF) continue;
    for (size_t index = 0; index < ENTRIES;) {
      const char *entry = page + HEADER + index * ENTRY;
      if ((((uint8_t)page[32 + index / 4] >> (index % 4 * 2)) & 3) != WRITTEN) {
        index++;
        continue;
      }
      visit(Entry{(uint8_t)entry[0], (uint8_t)entry[1], std::string(entry + 8, strnlen(entry + 8, 16)), entry + 24});
      index += entry[2] ? (uint8_t)entry[2] : 1;
    }
  }
}

bool Preferences::begin(const char *space, bool, const char *label) {
  const std::string bytes = partition(readFlash(), label ? label : "nvs");
  int wanted = -1;
  eachEntry(bytes, [&](const Entry &entry) {
    if (entry.space == 0 && entry.type == UNSIGNED_BYTE && entry.key == space) wanted = (uint8_t)entry.value[0];
  });
  eachEntry(bytes, [&](const Entry &entry) {
    if (entry.space != wanted) return;
    if (entry.type == TEXT) {
      uint16_t size = number<uint16_t>(entry.value);  // the NUL at its end included
      texts_[entry.key] = std::string(entry.value + 8, size ? size - 1 : 0);
    } else if ((entry.type & 0xF0) == 0) {
      uint64_t value = 0;
      memcpy(&value, entry.value, entry.type & 0x0F);
      numbers_[entry.key] = value;
    }
  });
  return wanted >= 0;
}
#endif
