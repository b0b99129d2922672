// What the tests of this folder say often.
#ifndef CHARLE_TESTS_CHARLED_TEST_H
#define CHARLE_TESTS_CHARLED_TEST_H

#include "base/err.h"

// cmocka wants these before it.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
// clang-format on

// The error's sentence is what one wants to see when something fails.
#define assert_ok(call, err)                                                  \
    do {                                                                      \
        enum charle_err rc_ = (call);                                         \
        if (rc_ != CHARLE_OK)                                                 \
            fail_msg("%s: %s: %s", #call, charle_err_name(rc_), (err)->text); \
    } while (0)

#define assert_contains(text, part)                                     \
    do {                                                                \
        if (!strstr((text), (part)))                                    \
            fail_msg("\"%s\" does not contain \"%s\"", (text), (part)); \
    } while (0)

#endif
