#pragma once
#include <cstring>
#include <string>

// As much of Arduino's String as a sketch needs that mostly passes texts on.
class String {
 public:
  String(const char *text = "") : text_(text ? text : "") {}
  String(const std::string &text) : text_(text) {}
  explicit String(int value) : text_(std::to_string(value)) {}
  explicit String(unsigned long value) : text_(std::to_string(value)) {}
  const char *c_str() const { return text_.c_str(); }
  size_t length() const { return text_.size(); }
  bool isEmpty() const { return text_.empty(); }
  String operator+(const String &other) const { return String(text_ + other.text_); }
  String &operator+=(const String &other) {
    text_ += other.text_;
    return *this;
  }
  bool operator==(const String &other) const { return text_ == other.text_; }
  bool operator!=(const String &other) const { return text_ != other.text_; }

 private:
  std::string text_;
};
