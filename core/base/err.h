// Errors: one table of codes, and the detail that travels beside a code.
//
// A fallible function returns enum charle_err; 0 is success. At the edges (drivers, rpc, client API, generator) a
// last parameter `struct charle_error *err` takes the detail: it lives on the caller's stack, may be NULL, is written
// only on failure, and nothing is allocated for it, so running out of memory can be reported too.
// Codes 1 to 16 are the RPC status codes with gRPC's numbers. Numbers are never reused.
#ifndef CHARLE_BASE_ERR_H
#define CHARLE_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#define CHARLE_MUST_CHECK __attribute__((warn_unused_result))
#define CHARLE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

//  X(name, number, wire status, retryable, text)
#define CHARLE_ERRORS(X)                                                                           \
    X(OK, 0, 0, false, "ok")                                                                       \
    X(CANCELLED, 1, 1, false, "cancelled by the caller")                                           \
    X(UNKNOWN, 2, 2, false, "unknown error")                                                       \
    X(INVALID_ARGUMENT, 3, 3, false, "invalid argument")                                           \
    X(DEADLINE_EXCEEDED, 4, 4, false, "deadline exceeded")                                         \
    X(NOT_FOUND, 5, 5, false, "not found")                                                         \
    X(ALREADY_EXISTS, 6, 6, false, "already exists")                                               \
    X(PERMISSION_DENIED, 7, 7, false, "permission denied")                                         \
    X(RESOURCE_EXHAUSTED, 8, 8, true, "a limit was reached")                                       \
    X(FAILED_PRECONDITION, 9, 9, false, "not possible in the present state")                       \
    X(ABORTED, 10, 10, true, "aborted by a concurrent change")                                     \
    X(OUT_OF_RANGE, 11, 11, false, "out of range")                                                 \
    X(UNIMPLEMENTED, 12, 12, false, "not implemented")                                             \
    X(INTERNAL, 13, 13, false, "internal error")                                                   \
    X(UNAVAILABLE, 14, 14, true, "the server cannot be reached")                                   \
    X(DATA_LOSS, 15, 15, false, "data was lost or is damaged")                                     \
    X(UNAUTHENTICATED, 16, 16, false, "not signed in")                                             \
    X(NO_MEMORY, 32, 8, true, "out of memory")                                                     \
    X(TOO_LARGE, 33, 8, false, "larger than the limit")                                            \
    X(MALFORMED, 34, 3, false, "malformed bytes")                                                  \
    X(IO, 35, 14, true, "input/output error")                                                      \
    X(DISK_FULL, 36, 8, true, "the disk is full")                                                  \
    X(BUSY, 37, 10, true, "locked by someone else")                                                \
    X(READ_ONLY, 38, 9, false, "read-only")                                                        \
    X(UNIQUE_VIOLATION, 39, 6, false, "a value that must be unique is taken")                      \
    X(FOREIGN_KEY_VIOLATION, 40, 9, false, "the row that is referred to does not exist")           \
    X(CHECK_VIOLATION, 41, 3, false, "a check of the table failed")                                \
    X(NOT_NULL_VIOLATION, 42, 3, false, "a required value is missing")                             \
    X(SERIALIZATION, 43, 10, true, "a concurrent transaction changed the same data")               \
    X(DEADLOCK, 44, 10, true, "a deadlock with a concurrent transaction")                          \
    X(CONFLICT, 45, 10, false, "the value was changed by someone else")                            \
    X(CLOSED, 46, 14, true, "closed")                                                              \
    X(SCHEMA_MISMATCH, 47, 9, false, "the schema differs from what this program was built for")

enum charle_err {
#define CHARLE_ERR_ENUM(name, number, status, retryable, text) CHARLE_##name = number,
    CHARLE_ERRORS(CHARLE_ERR_ENUM)
#undef CHARLE_ERR_ENUM
    // Not an error: the end of a sequence of rows or messages.
    CHARLE_DONE = 100,
};

// Where a foreign code in charle_error.foreign comes from.
enum charle_domain {
    CHARLE_DOMAIN_CHARLE = 0,
    CHARLE_DOMAIN_POSTGRES = 1, // foreign: five base-36 digits of the SQLSTATE, see charle_sqlstate_pack
    CHARLE_DOMAIN_SQLITE = 2,   // foreign: the extended result code
    CHARLE_DOMAIN_NNG = 3,      // foreign: the nng error number
    CHARLE_DOMAIN_POSIX = 4,    // foreign: errno
};

struct charle_error {
    enum charle_err code;
    enum charle_domain domain;
    int foreign;
    char text[240]; // a plain sentence: what, where, what to do; cut at the end when too long
};

// Fills *err (when it is not NULL) and returns code, so that a caller can write `return charle_fail(err, …)`.
enum charle_err charle_fail(struct charle_error *err, enum charle_err code, const char *format, ...) CHARLE_PRINTF(3, 4);

// As charle_fail, with the code of another library beside ours.
enum charle_err charle_fail_foreign(struct charle_error *err, enum charle_err code, enum charle_domain domain,
                                    int foreign, const char *format, ...) CHARLE_PRINTF(5, 6);

// Puts "prefix: " before the text of an error that was already filled, and returns its code. Nothing when err is NULL.
enum charle_err charle_error_prefix(struct charle_error *err, enum charle_err code, const char *format, ...)
    CHARLE_PRINTF(3, 4);

const char *charle_err_name(enum charle_err code);   // "NOT_FOUND"; "UNKNOWN" for a number not in the table
const char *charle_err_text(enum charle_err code);   // "not found"
int charle_err_status(enum charle_err code);         // the RPC status it travels as, 0 to 16
bool charle_err_is_retryable(enum charle_err code);  // may the same thing work a moment later?
enum charle_err charle_err_from_status(int status);  // UNKNOWN for a number outside 0 to 16

// SQLSTATE as an int and back. `sqlstate` is five characters; out holds six.
int charle_sqlstate_pack(const char *sqlstate);
void charle_sqlstate_unpack(int packed, char out[6]);

// For our own bugs only, never for bytes from disk, network or users. Stays on in release builds.
#define CHARLE_ASSERT(condition)                                                                   \
    ((condition) ? (void)0 : charle_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void charle_assert_failed(const char *condition, const char *file, int line);

#endif
