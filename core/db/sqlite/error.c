// What SQLite's result codes mean to us, and to the reader of the message.
#include "db/sqlite/cipher.h"
#include "db/sqlite/internal.h"

static const struct meaning {
    int code; // extended, or primary for all that are not listed
    enum charle_err ours;
    const char *advice; // what to do; NULL: SQLite's own words suffice
} meanings[] = {
    {SQLITE_CONSTRAINT_UNIQUE, CHARLE_UNIQUE_VIOLATION, NULL},
    {SQLITE_CONSTRAINT_PRIMARYKEY, CHARLE_UNIQUE_VIOLATION, NULL},
    {SQLITE_CONSTRAINT_ROWID, CHARLE_UNIQUE_VIOLATION, NULL},
    {SQLITE_CONSTRAINT_FOREIGNKEY, CHARLE_FOREIGN_KEY_VIOLATION, NULL},
    {SQLITE_CONSTRAINT_NOTNULL, CHARLE_NOT_NULL_VIOLATION, NULL},
    {SQLITE_CONSTRAINT_CHECK, CHARLE_CHECK_VIOLATION, NULL},
    {SQLITE_CONSTRAINT_DATATYPE, CHARLE_INVALID_ARGUMENT, NULL},
    {SQLITE_CONSTRAINT_TRIGGER, CHARLE_FAILED_PRECONDITION, NULL},
    {SQLITE_CONSTRAINT, CHARLE_CHECK_VIOLATION, NULL},
    {SQLITE_FULL, CHARLE_DISK_FULL, "the disk is full; free some space and try again"},
    {SQLITE_READONLY_DBMOVED, CHARLE_IO, "the file was moved or deleted while it was open; open it again"},
    {SQLITE_READONLY, CHARLE_READ_ONLY, "the file or its folder cannot be written; check its permissions"},
    {SQLITE_BUSY_SNAPSHOT, CHARLE_BUSY, "another connection wrote meanwhile; begin the transaction again"},
    {SQLITE_BUSY, CHARLE_BUSY, "another program is writing to the file; try again in a moment"},
    {SQLITE_PROTOCOL, CHARLE_BUSY, "the locks of the file are taken by others all the time; try again in a moment"},
    {SQLITE_LOCKED, CHARLE_BUSY, "another statement is using the table"},
    {SQLITE_CORRUPT, CHARLE_DATA_LOSS, "the file is damaged; keep it, what was not sent can be rescued into a new one"},
    {SQLITE_NOTADB, CHARLE_DATA_LOSS, "the file is not a SQLite database (or is encrypted with another key); move it away and make a new one"},
    {SQLITE_CANTOPEN, CHARLE_NOT_FOUND, "the file cannot be opened; check that its folder exists and may be entered"},
    {SQLITE_PERM, CHARLE_PERMISSION_DENIED, "the file may not be accessed; check its permissions"},
    {SQLITE_AUTH, CHARLE_PERMISSION_DENIED, NULL},
    {SQLITE_IOERR_NOMEM, CHARLE_NO_MEMORY, NULL},
    {SQLITE_IOERR_DATA, CHARLE_DATA_LOSS, NULL}, // only the encrypting VFS says so; it knows more
    {SQLITE_IOERR_CORRUPTFS, CHARLE_DATA_LOSS, "the file system is damaged; check the disk"},
    {SQLITE_IOERR, CHARLE_IO, "reading or writing the file failed; check the disk"},
    {SQLITE_NOMEM, CHARLE_NO_MEMORY, NULL},
    {SQLITE_TOOBIG, CHARLE_TOO_LARGE, NULL},
    {SQLITE_INTERRUPT, CHARLE_CANCELLED, NULL},
    {SQLITE_SCHEMA, CHARLE_SCHEMA_MISMATCH, "the tables changed meanwhile; try again"},
    {SQLITE_MISMATCH, CHARLE_INVALID_ARGUMENT, NULL},
    {SQLITE_RANGE, CHARLE_INVALID_ARGUMENT, NULL},
    {SQLITE_ERROR, CHARLE_INVALID_ARGUMENT, NULL},
    {SQLITE_MISUSE, CHARLE_INTERNAL, NULL},
};

static const struct meaning *meaning_of(int code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].code == code)
            return &meanings[i];
    return code == (code & 0xff) ? NULL : meaning_of(code & 0xff);
}

// SQLite has no code for a result that does not fit; its sum() and our functions say it in words.
static bool is_out_of_range(int code, const char *words)
{
    return code == SQLITE_ERROR && (strcmp(words, "integer overflow") == 0 || strncmp(words, "out of range", 12) == 0);
}

// Which page of an encrypted file it was, and what a person can do.
static enum charle_err fail_damaged(sqlite3 *handle, const char *file, const char *doing, struct charle_error *err)
{
    char where[80] = "a part of the file";
    (void)!ch_cipher_damage(handle, where, sizeof(where));
    return charle_fail_foreign(err, CHARLE_DATA_LOSS, CHARLE_DOMAIN_SQLITE, SQLITE_IOERR_DATA,
                               "%s%s%s%s%s is damaged: its seal does not fit its bytes; export the waiting calls, move the file "
                               "away and copy again",
                               file ? file : "", file ? ": " : "", doing ? doing : "", doing ? ": " : "", where);
}

// A handle that only reads is no trouble of the file's; SQLite also makes one of a file that may not be written.
static const char *advice_of(const struct meaning *meaning, sqlite3 *handle)
{
    if (meaning && meaning->code == SQLITE_READONLY && handle && sqlite3_db_readonly(handle, "main") == 1)
        return "this handle only reads: it was opened for reading, or the permissions of the file or its folder forbid more";
    return meaning ? meaning->advice : NULL;
}

enum charle_err ch_sqlite_fail(sqlite3 *handle, int code, const char *doing, struct charle_error *err)
{
    const struct meaning *meaning = meaning_of(code);
    enum charle_err ours = meaning ? meaning->ours : CHARLE_INTERNAL;
    const char *file = handle ? sqlite3_db_filename(handle, "main") : NULL;
    const char *words =
        handle && sqlite3_extended_errcode(handle) == code ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    bool has_name = file && *file;
    if (handle && code == SQLITE_IOERR_DATA)
        return fail_damaged(handle, has_name ? file : NULL, doing, err);
    if (is_out_of_range(code, words))
        ours = CHARLE_OUT_OF_RANGE;
    const char *advice = advice_of(meaning, handle);
    if (advice)
        return charle_fail_foreign(err, ours, CHARLE_DOMAIN_SQLITE, code, "%s%s%s%s%s (%s)", has_name ? file : "",
                                   has_name ? ": " : "", doing ? doing : "", doing ? ": " : "", advice, words);
    return charle_fail_foreign(err, ours, CHARLE_DOMAIN_SQLITE, code, "%s%s%s", doing ? doing : "", doing ? ": " : "",
                               words);
}
