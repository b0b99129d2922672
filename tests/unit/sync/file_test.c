// Names of files and their pieces: what is one, and what only looks like it.
#include "sync/file.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char name_text[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void a_name_is_the_hash_and_back(void **state)
{
    (void)state;
    uint8_t hash[CH_FILE_HASH_SIZE];
    char text[CH_FILE_NAME_LEN + 1];
    assert_true(ch_file_name_read(charle_str(name_text), hash));
    ch_file_name_write(hash, text);
    assert_string_equal(text, name_text);
}

static void other_texts_are_no_names(void **state)
{
    (void)state;
    uint8_t hash[CH_FILE_HASH_SIZE];
    assert_false(ch_file_name_read(charle_str_n(name_text, 63), hash));
    // The characters on both sides of the digits and of the letters, as the first and as the second of a byte.
    static const char wrong[] = "/:`gAF ";
    for (size_t i = 0; i < sizeof(wrong) - 1; i++) {
        for (size_t at = 0; at < 2; at++) {
            char text[sizeof(name_text)];
            memcpy(text, name_text, sizeof(text));
            text[30 + at] = wrong[i];
            assert_false(ch_file_name_read(charle_str(text), hash));
        }
    }
}

// In the encoding of a request a name is a length and 64 digits.
static void names_are_found_in_requests(void **state)
{
    (void)state;
    char bytes[400];
    size_t size = 0, at = 0;
    struct charle_str name;
    memcpy(bytes, "x@@", 3); // a length with no name behind it, then one with a name
    memcpy(bytes + 3, name_text, 64);
    size = 67;
    bytes[size++] = 64;
    memcpy(bytes + size, name_text, 63);
    bytes[size + 63] = 'g';
    size += 64;
    bytes[size++] = 64;
    memcpy(bytes + size, name_text, 64);
    size += 64;
    bytes[size++] = 64; // too little is behind this one
    memcpy(bytes + size, name_text, 20);
    size += 20;
    int found = 0;
    while (ch_file_name_find(charle_bytes(bytes, size), &at, &name)) {
        assert_true(charle_str_equal(name, charle_str(name_text)));
        found++;
    }
    assert_int_equal(found, 2);
    assert_int_equal(at, size);
    at = 0;
    assert_false(ch_file_name_find(charle_bytes("", 0), &at, &name));
    char plain[200];
    memset(plain, 'x', sizeof(plain));
    assert_false(ch_file_name_find(charle_bytes(plain, sizeof(plain)), &at, &name));
    assert_int_equal(at, sizeof(plain));
}

static void pieces_are_checked(void **state)
{
    (void)state;
    uint8_t hash[CH_FILE_HASH_SIZE], other[CH_FILE_HASH_SIZE] = {0};
    uint8_t *piece = calloc(1, CH_FILE_PIECE_SIZE);
    struct charle_bytes whole = charle_bytes(piece, CH_FILE_PIECE_SIZE), rest = charle_bytes("rest", 4);
    int64_t size = CH_FILE_PIECE_SIZE + 4;
    ch_file_hash(whole, hash);
    assert_null(ch_file_piece_check(size, 0, 0, whole, charle_bytes(hash, sizeof(hash))));
    assert_string_equal(ch_file_piece_check(size, 0, 0, whole, charle_bytes(other, sizeof(other))), "its bytes do not have its hash");
    assert_string_equal(ch_file_piece_check(size, 0, 0, whole, charle_bytes(hash, 31)), "its hash has not 32 bytes");
    assert_string_equal(ch_file_piece_check(size, 0, 0, rest, charle_bytes(hash, 32)), "its length is not that of a piece");
    assert_string_equal(ch_file_piece_check(size, 0, -1, whole, charle_bytes(hash, 32)), "it does not begin where the last one ended");
    assert_string_equal(ch_file_piece_check(size, 0, size + 1, whole, charle_bytes(hash, 32)), "it does not begin where the last one ended");
    assert_string_equal(ch_file_piece_check(size, 0, CH_FILE_PIECE_SIZE, rest, charle_bytes(hash, 32)), "it does not begin where the last one ended");
    ch_file_hash(rest, hash);
    assert_null(ch_file_piece_check(size, CH_FILE_PIECE_SIZE, CH_FILE_PIECE_SIZE, rest, charle_bytes(hash, 32)));
    ch_file_hash(charle_bytes("", 0), hash);
    assert_null(ch_file_piece_check(0, 0, 0, charle_bytes("", 0), charle_bytes(hash, 32))); // an empty file has one empty piece
    free(piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_the_hash_and_back),
        cmocka_unit_test(other_texts_are_no_names),
        cmocka_unit_test(names_are_found_in_requests),
        cmocka_unit_test(pieces_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
