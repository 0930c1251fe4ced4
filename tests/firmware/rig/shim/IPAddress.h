#pragma once
#include "Print.h"

class IPAddress : public Printable {
 public:
  IPAddress(uint8_t a = 0, uint8_t b = 0, uint8_t c = 0, uint8_t d = 0) : bytes_{a, b, c, d} {}
  uint8_t operator[](int index) const { return bytes_[index]; }
  String toString() const {
    char text[16];
    snprintf(text, sizeof text, "%u.%u.%u.%u", bytes_[0], bytes_[1], bytes_[2], bytes_[3]);
    return text;
  }
  size_t printTo(Print &out) const override { return out.print(toString()); }

 private:
  uint8_t bytes_[4];
};
