#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CHARLE_PRINTF(5, 0)
static void set(struct charle_error *err, enum charle_err code, enum charle_domain domain, int foreign,
                const char *format, va_list args)
{
    if (!err)
        return;
    err->code = code;
    err->domain = domain;
    err->foreign = foreign;
    vsnprintf(err->text, sizeof(err->text), format, args);
}

enum charle_err charle_fail(struct charle_error *err, enum charle_err code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code, CHARLE_DOMAIN_CHARLE, 0, format, args);
    va_end(args);
    return code;
}

enum charle_err charle_fail_foreign(struct charle_error *err, enum charle_err code, enum charle_domain domain,
                                    int foreign, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code, domain, foreign, format, args);
    va_end(args);
    return code;
}

enum charle_err charle_error_prefix(struct charle_error *err, enum charle_err code, const char *format, ...)
{
    if (!err)
        return code;
    char old[sizeof(err->text)];
    memcpy(old, err->text, sizeof(old));
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(err->text))
        snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %s", old);
    return code;
}

const char *charle_err_name(enum charle_err code)
{
    switch ((int)code) {
#define NAME(name, number, status, retryable, text)                                                \
    case number:                                                                                   \
        return #name;
        CHARLE_ERRORS(NAME)
#undef NAME
    case CHARLE_DONE:
        return "DONE";
    }
    return "UNKNOWN";
}

const char *charle_err_text(enum charle_err code)
{
    switch ((int)code) {
#define TEXT(name, number, status, retryable, text)                                                \
    case number:                                                                                   \
        return text;
        CHARLE_ERRORS(TEXT)
#undef TEXT
    case CHARLE_DONE:
        return "no more";
    }
    return "unknown error";
}

int charle_err_status(enum charle_err code)
{
    switch ((int)code) {
#define STATUS(name, number, status, retryable, text)                                              \
    case number:                                                                                   \
        return status;
        CHARLE_ERRORS(STATUS)
#undef STATUS
    }
    return CHARLE_UNKNOWN;
}

bool charle_err_is_retryable(enum charle_err code)
{
    switch ((int)code) {
#define RETRYABLE(name, number, status, retryable, text)                                           \
    case number:                                                                                   \
        return retryable;
        CHARLE_ERRORS(RETRYABLE)
#undef RETRYABLE
    }
    return false;
}

enum charle_err charle_err_from_status(int status)
{
    return status >= 0 && status <= 16 ? (enum charle_err)status : CHARLE_UNKNOWN;
}

static int base36_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 0;
}

int charle_sqlstate_pack(const char *sqlstate)
{
    int packed = 0;
    for (int i = 0; i < 5 && sqlstate && sqlstate[i]; i++)
        packed = packed * 36 + base36_digit(sqlstate[i]);
    return packed;
}

void charle_sqlstate_unpack(int packed, char out[6])
{
    for (int i = 4; i >= 0; i--) {
        out[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[packed % 36];
        packed /= 36;
    }
    out[5] = '\0';
}

_Noreturn void charle_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "charle: a bug was caught at %s:%d: %s\n", file, line, condition);
    abort();
}
