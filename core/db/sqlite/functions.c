// Functions and the collation that make SQLite agree with PostgreSQL about exact decimals.
//
// A numeric is text in canonical form, so equality is equality of text. Order, sums and averages need these. Sums are
// held in 128 bits, which is 38 digits; a larger sum is an error, never a rounded number.
#include "base/alloc.h"
#include "base/limits.h"
#include "db/number.h"
#include "db/sqlite/internal.h"
#include "msg/scalar.h"

#include <math.h>
#include <stdio.h>

__extension__ typedef __int128 ch_int128;                    // ISO C has no name for it
typedef ch_int128 stored_int128 __attribute__((aligned(8))); // SQLite's memory is aligned to 8 bytes only

enum {
    SCRATCH_SIZE_MAX = 1 << 16,
    SUM_SCALE_MAX = 30, // digits behind the point that a sum keeps exactly
    AVG_SCALE = 16,     // as PostgreSQL gives at least
    DECIMAL_SIZE = 128, // text of a sum or an average
};

// The order of the kinds of numbers; each is the first byte of a key.
enum rank { RANK_MINUS_INFINITY, RANK_NEGATIVE, RANK_ZERO, RANK_POSITIVE, RANK_INFINITY, RANK_NAN };

static enum rank rank_of(struct charle_str text)
{
    if (charle_str_equal(text, CHARLE_STR("NaN")))
        return RANK_NAN;
    if (charle_str_equal(text, CHARLE_STR("Infinity")))
        return RANK_INFINITY;
    if (charle_str_equal(text, CHARLE_STR("-Infinity")))
        return RANK_MINUS_INFINITY;
    if (charle_str_equal(text, CHARLE_STR("0")))
        return RANK_ZERO;
    return text.len && text.ptr[0] == '-' ? RANK_NEGATIVE : RANK_POSITIVE;
}

static int compare(struct charle_str a, struct charle_str b)
{
    enum rank x = rank_of(a), y = rank_of(b);
    if (x != y || (x != RANK_NEGATIVE && x != RANK_POSITIVE))
        return (x > y) - (x < y);
    return charle_numeric_compare((struct charle_numeric){a}, (struct charle_numeric){b});
}

// Other writers may have stored "1.50", or the number 1.5; everything goes by its canonical text.
static bool canonical(struct charle_str text, struct charle_arena *arena, struct charle_str *out)
{
    struct charle_numeric numeric;
    if (!charle_numeric_read(text, arena, &numeric))
        return false;
    *out = numeric.text;
    return true;
}

static int collate(void *ctx, int a_len, const void *a, int b_len, const void *b)
{
    (void)ctx;
    struct charle_str x = charle_str_n(a, (size_t)a_len), y = charle_str_n(b, (size_t)b_len), left, right;
    struct charle_arena arena = {.size_max = SCRATCH_SIZE_MAX};
    // Text that is no number orders before all numbers, by its bytes: a collation cannot fail.
    bool has_left = canonical(x, &arena, &left), has_right = canonical(y, &arena, &right);
    int order = has_left && has_right   ? compare(left, right)
                : has_left || has_right ? (has_left ? 1 : -1)
                                        : charle_str_compare(x, y);
    charle_arena_deinit(&arena);
    return order;
}

static bool argument(sqlite3_context *context, sqlite3_value *value, struct charle_arena *arena, struct charle_str *out)
{
    const char *text = (const char *)sqlite3_value_text(value);
    if (text && canonical(charle_str_n(text, (size_t)sqlite3_value_bytes(value)), arena, out))
        return true;
    sqlite3_result_error(context, "a value in a numeric column is not a number", -1);
    return false;
}

static void numeric_cmp(sqlite3_context *context, int count, sqlite3_value **args)
{
    struct charle_arena arena = {.size_max = SCRATCH_SIZE_MAX};
    struct charle_str a, b;
    (void)count;
    if (sqlite3_value_type(args[0]) != SQLITE_NULL && sqlite3_value_type(args[1]) != SQLITE_NULL &&
        argument(context, args[0], &arena, &a) && argument(context, args[1], &arena, &b)) {
        int order = compare(a, b);
        sqlite3_result_int(context, (order > 0) - (order < 0));
    }
    charle_arena_deinit(&arena);
}

// Key of a number other than zero: rank, place of the first digit, digits; for negative ones all of it inverted and
// closed by 0xff, so that of two that agree the longer one comes first.
static size_t write_key(struct charle_str text, bool negative, uint8_t *key)
{
    size_t size = 1, point = text.len, first = text.len, digits = 0;
    uint8_t flip = negative ? 0xff : 0;
    for (size_t i = negative; i < text.len; i++) {
        if (text.ptr[i] == '.')
            point = i;
        else if (text.ptr[i] != '0' && first == text.len)
            first = i;
    }
    long place = first < point ? (long)(point - first) : -(long)(first - point - 1);
    uint16_t biased = (uint16_t)(place + 32768);
    key[size++] = (uint8_t)(biased >> 8) ^ flip;
    key[size++] = (uint8_t)biased ^ flip;
    for (size_t i = first; i < text.len; i++)
        if (text.ptr[i] != '.') {
            key[size++] = (uint8_t)text.ptr[i] ^ flip;
            digits = text.ptr[i] == '0' ? digits : size;
        }
    size = digits; // zeros at the end of a whole number are told by its place
    if (negative)
        key[size++] = 0xff;
    return size;
}

static void numeric_key(sqlite3_context *context, int count, sqlite3_value **args)
{
    struct charle_arena arena = {.size_max = SCRATCH_SIZE_MAX};
    struct charle_str text;
    uint8_t key[CH_NUMERIC_LEN_MAX * 2 + 8];
    (void)count;
    if (sqlite3_value_type(args[0]) != SQLITE_NULL && argument(context, args[0], &arena, &text)) {
        enum rank rank = rank_of(text);
        size_t size = 1;
        key[0] = (uint8_t)rank;
        if (text.len > sizeof(key) - 8)
            sqlite3_result_error(context, "a numeric has too many digits", -1);
        else {
            if (rank == RANK_NEGATIVE || rank == RANK_POSITIVE)
                size = write_key(text, rank == RANK_NEGATIVE, key);
            sqlite3_result_blob(context, key, (int)size, SQLITE_TRANSIENT);
        }
    }
    charle_arena_deinit(&arena);
}

// --- sums -----------------------------------------------------------------------------------------------------------

struct sum { // zeroed by SQLite: value = mantissa * 10^-scale
    stored_int128 mantissa;
    int scale;
    int64_t count;
    bool is_broken;
};

static bool read_decimal(struct charle_str text, ch_int128 *out, int *out_scale)
{
    bool negative = text.len && text.ptr[0] == '-', behind = false;
    ch_int128 value = 0;
    int scale = 0;
    for (size_t i = negative; i < text.len; i++) {
        if (text.ptr[i] == '.') {
            behind = true;
            continue;
        }
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(value, (ch_int128)10, &value) ||
            __builtin_add_overflow(value, (ch_int128)(text.ptr[i] - '0'), &value))
            return false;
        scale += behind;
    }
    *out = negative ? -value : value;
    *out_scale = scale;
    return scale <= SUM_SCALE_MAX;
}

static bool rescale(ch_int128 *value, int by)
{
    for (; by > 0; by--)
        if (__builtin_mul_overflow(*value, (ch_int128)10, value))
            return false;
    return true;
}

static void sum_step(sqlite3_context *context, int count, sqlite3_value **args)
{
    struct charle_arena arena = {.size_max = SCRATCH_SIZE_MAX};
    struct sum *sum = sqlite3_aggregate_context(context, sizeof(*sum));
    struct charle_str text;
    ch_int128 value = 0;
    int scale = 0;
    (void)count;
    if (!sum) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (sqlite3_value_type(args[0]) == SQLITE_NULL)
        return;
    if (argument(context, args[0], &arena, &text)) {
        ch_int128 mantissa = sum->mantissa;
        bool ok = !sum->is_broken && read_decimal(text, &value, &scale) && rescale(&value, sum->scale - scale) &&
                  rescale(&mantissa, scale - sum->scale) && !__builtin_add_overflow(mantissa, value, &mantissa);
        sum->count++;
        sum->mantissa = mantissa;
        sum->is_broken = !ok;
        if (scale > sum->scale)
            sum->scale = scale;
    } else {
        sum->is_broken = true;
    }
    charle_arena_deinit(&arena);
}

// Writes mantissa * 10^-scale in canonical form at the end of `out` and returns where it starts.
static const char *write_decimal(ch_int128 mantissa, int scale, char out[DECIMAL_SIZE])
{
    for (; scale > 0 && mantissa % 10 == 0; scale--)
        mantissa /= 10;
    bool negative = mantissa < 0;
    char *p = out + DECIMAL_SIZE - 1;
    *p = '\0';
    for (int i = 0; mantissa || i <= scale; i++, mantissa /= 10) {
        if (i > 0 && i == scale)
            *--p = '.';
        int digit = (int)(mantissa % 10);
        *--p = (char)('0' + (digit < 0 ? -digit : digit));
    }
    if (negative)
        *--p = '-';
    return p;
}

static struct sum *finished(sqlite3_context *context)
{
    struct sum *sum = sqlite3_aggregate_context(context, 0);
    if (sum && sum->is_broken)
        sqlite3_result_error(context, "out of range: a sum of numerics has more than 38 digits", -1);
    return sum && !sum->is_broken && sum->count ? sum : NULL; // of nothing: NULL
}

static void sum_final(sqlite3_context *context)
{
    char text[DECIMAL_SIZE];
    struct sum *sum = finished(context);
    if (sum)
        sqlite3_result_text(context, write_decimal(sum->mantissa, sum->scale, text), -1, SQLITE_TRANSIENT);
}

// Long division to AVG_SCALE digits behind the point, the last one rounded half away from zero.
static void avg_final(sqlite3_context *context)
{
    char text[DECIMAL_SIZE];
    struct sum *sum = finished(context);
    if (!sum)
        return;
    ch_int128 count = sum->count, unit = 1;
    for (int i = AVG_SCALE; i < sum->scale; i++)
        unit *= 10; // at most 10^14: digits that are cut off
    ch_int128 divisor = count * unit;
    ch_int128 quotient = sum->mantissa / divisor, rest = sum->mantissa % divisor;
    int scale = sum->scale < AVG_SCALE ? sum->scale : AVG_SCALE;
    for (; scale < AVG_SCALE; scale++) {
        if (__builtin_mul_overflow(quotient, (ch_int128)10, &quotient)) {
            sqlite3_result_error(context, "out of range: an average of numerics has more than 38 digits", -1);
            return;
        }
        rest *= 10;
        quotient += rest / divisor;
        rest %= divisor;
    }
    if ((rest < 0 ? -rest : rest) * 2 >= divisor)
        quotient += sum->mantissa < 0 ? -1 : 1;
    sqlite3_result_text(context, write_decimal(quotient, scale, text), -1, SQLITE_TRANSIENT);
}

// --- floats ---------------------------------------------------------------------------------------------------------

// SQLite's own sum and avg would take the text 'NaN' for 0, and give NULL for infinity minus infinity.
struct float_sum {
    double sum;
    int64_t count;
    bool has_infinity; // among the values; otherwise an infinite sum is an overflow, as in PostgreSQL
};

static void float_step(sqlite3_context *context, int count, sqlite3_value **args)
{
    struct float_sum *sum = sqlite3_aggregate_context(context, sizeof(*sum));
    (void)count;
    if (!sum) {
        sqlite3_result_error_nomem(context);
        return;
    }
    int type = sqlite3_value_type(args[0]);
    if (type == SQLITE_NULL)
        return;
    double value = type == SQLITE_TEXT ? (double)NAN : sqlite3_value_double(args[0]);
    sum->has_infinity = sum->has_infinity || isinf(value);
    sum->sum += value;
    sum->count++;
    if (isinf(sum->sum) && !sum->has_infinity)
        sqlite3_result_error(context, "out of range: overflow of a sum", -1);
}

static void float_result(sqlite3_context *context, double value)
{
    if (isnan(value))
        sqlite3_result_text(context, "NaN", 3, SQLITE_STATIC);
    else
        sqlite3_result_double(context, value);
}

static void float_sum_final(sqlite3_context *context)
{
    struct float_sum *sum = sqlite3_aggregate_context(context, 0);
    if (sum && sum->count)
        float_result(context, sum->sum);
}

static void float_avg_final(sqlite3_context *context)
{
    struct float_sum *sum = sqlite3_aggregate_context(context, 0);
    if (sum && sum->count)
        float_result(context, sum->sum / (double)sum->count);
}

static void now(sqlite3_context *context, int count, sqlite3_value **args)
{
    (void)count;
    (void)args;
    sqlite3_result_int64(context, ch_clock_wall().us);
}

static void number_label(sqlite3_context *context, int count, sqlite3_value **values)
{
    char label[CHARLE_NUMBER_LABEL_SIZE];
    (void)count;
    if (sqlite3_value_type(values[1]) == SQLITE_NULL)
        return;
    charle_number_label((const char *)sqlite3_value_text(values[0]), sqlite3_value_int64(values[1]), label);
    sqlite3_result_text(context, label, -1, SQLITE_TRANSIENT);
}

int ch_sqlite_register_functions(sqlite3 *handle)
{
    const int pure = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_collation_v2(handle, "charle_numeric", SQLITE_UTF8, NULL, collate, NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_numeric_cmp", 2, pure, NULL, numeric_cmp, NULL, NULL, NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_numeric_key", 1, pure, NULL, numeric_key, NULL, NULL, NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_numeric_sum", 1, pure, NULL, NULL, sum_step, sum_final, NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_numeric_avg", 1, pure, NULL, NULL, sum_step, avg_final, NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_float_sum", 1, pure, NULL, NULL, float_step, float_sum_final,
                                        NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_float_avg", 1, pure, NULL, NULL, float_step, float_avg_final,
                                        NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_number_label", 2, pure, NULL, number_label, NULL, NULL, NULL);
    if (!rc)
        rc = sqlite3_create_function_v2(handle, "charle_now", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, now, NULL, NULL,
                                        NULL);
    return rc;
}
