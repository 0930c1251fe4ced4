// How long to wait before the next try: twice as long after each failure, and never in step with the rest of a fleet.
#pragma once
#include <Arduino.h>

class Backoff {
 public:
  void reset() { wait_ = 0; }

  // The next wait in milliseconds: the doubled one, and up to half of it more by chance.
  unsigned long next() {
    wait_ = wait_ ? wait_ * 2 : FIRST_MS;
    if (wait_ > LONGEST_MS) wait_ = LONGEST_MS;
    return wait_ + random(wait_ / 2 + 1);
  }

 private:
  static const unsigned long FIRST_MS = 1000;
  static const unsigned long LONGEST_MS = 120000;
  unsigned long wait_ = 0;
};
