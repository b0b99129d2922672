// What a fuzz target offers: libFuzzer calls it with inputs it makes up, replay.c with those that are kept.
#ifndef CHARLE_TESTS_FUZZ_H
#define CHARLE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) __attribute__((visibility("default")));

#endif
