// What a sketch calls of Arduino, declared anew: Serial is standard output, and a sketch that waits too often has stopped.
#ifndef ARDUINO_H_
#define ARDUINO_H_

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

class SerialPort {
 public:
  void begin(unsigned long) {}
  void print(const char* text) { printf("%s", text); }
  void print(int number) { printf("%d", number); }
  void println(const char* text) { printf("%s\n", text); }
  void println(unsigned long number) { printf("%lu\n", number); }
  void println(double number, int digits) { printf("%.*f\n", digits, number); }
};

static SerialPort Serial;

inline void delay(unsigned long) {
  static int waits = 0;
  if (++waits > 1) exit(3);
}

#endif  // ARDUINO_H_
