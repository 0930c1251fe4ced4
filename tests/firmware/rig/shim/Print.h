#pragma once
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "WString.h"

class Print;

class Printable {
 public:
  virtual ~Printable() {}
  virtual size_t printTo(Print &out) const = 0;
};

class Print {
 public:
  virtual ~Print() {}
  virtual size_t write(uint8_t byte) = 0;
  virtual size_t write(const uint8_t *bytes, size_t size) {
    size_t written = 0;
    while (size--) written += write(*bytes++);
    return written;
  }
  virtual void flush() {}
  size_t write(const char *text) { return write((const uint8_t *)text, strlen(text)); }
  size_t print(const char *text) { return write(text); }
  size_t print(const String &text) { return write(text.c_str()); }
  size_t print(char letter) { return write((uint8_t)letter); }
  size_t print(int value) { return printf("%d", value); }
  size_t print(unsigned value) { return printf("%u", value); }
  size_t print(long value) { return printf("%ld", value); }
  size_t print(unsigned long value) { return printf("%lu", value); }
  size_t print(const Printable &value) { return value.printTo(*this); }
  size_t println() { return write("\r\n"); }
  template <class T>
  size_t println(const T &value) {
    size_t written = print(value);
    return written + println();
  }
  size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3))) {
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return write(text);
  }
};
