// What an SQLSTATE means to us. PostgreSQL's own words are kept; they name tables and constraints better than we could.
#include "db/pg/internal.h"

static const struct meaning {
    const char *state; // five characters, or the class's two for all that are not listed
    enum charle_err ours;
} meanings[] = {
    {"23505", CHARLE_UNIQUE_VIOLATION},
    {"23503", CHARLE_FOREIGN_KEY_VIOLATION},
    {"23001", CHARLE_FOREIGN_KEY_VIOLATION},
    {"23514", CHARLE_CHECK_VIOLATION},
    {"23502", CHARLE_NOT_NULL_VIOLATION},
    {"23P01", CHARLE_ALREADY_EXISTS}, // exclusion
    {"23", CHARLE_CHECK_VIOLATION},
    {"40001", CHARLE_SERIALIZATION},
    {"40P01", CHARLE_DEADLOCK},
    {"40", CHARLE_ABORTED},
    {"25006", CHARLE_READ_ONLY},
    {"25", CHARLE_FAILED_PRECONDITION}, // 25P02: the transaction has failed already
    {"57014", CHARLE_CANCELLED},        // or a timeout, see below
    {"57P05", CHARLE_UNAVAILABLE},      // idle session timeout
    {"57", CHARLE_UNAVAILABLE},         // shutdown, crash, starting up
    {"55P03", CHARLE_BUSY},             // lock not available, lock timeout
    {"55", CHARLE_FAILED_PRECONDITION},
    {"08", CHARLE_UNAVAILABLE},
    {"53100", CHARLE_DISK_FULL},
    {"53200", CHARLE_NO_MEMORY},
    {"53", CHARLE_RESOURCE_EXHAUSTED}, // 53300: too many connections
    {"54", CHARLE_RESOURCE_EXHAUSTED},
    {"28", CHARLE_UNAUTHENTICATED},
    {"3D000", CHARLE_NOT_FOUND}, // no such database
    {"42501", CHARLE_PERMISSION_DENIED},
    {"42P07", CHARLE_ALREADY_EXISTS},
    {"42", CHARLE_INVALID_ARGUMENT},
    {"22003", CHARLE_OUT_OF_RANGE},
    {"22008", CHARLE_OUT_OF_RANGE},
    {"22", CHARLE_INVALID_ARGUMENT},
    {"0A", CHARLE_UNIMPLEMENTED},
    {"P0001", CHARLE_FAILED_PRECONDITION}, // raise exception
    {"58", CHARLE_IO},
    {"XX001", CHARLE_DATA_LOSS},
    {"XX002", CHARLE_DATA_LOSS},
    {"XX", CHARLE_INTERNAL},
};

static enum charle_err meaning_of(const char *state)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) == 0)
            return meanings[i].ours;
    return CHARLE_UNKNOWN;
}

// libpq's messages end in a line break, may have several lines, and sometimes repeat themselves for each address tried.
static struct charle_str first_line(const char *text)
{
    size_t len = text ? strcspn(text, "\n") : 0;
    return charle_str_n(text, len);
}

// Words of libpq's own, which are not translated here: nobody calls setlocale.
static bool tells_of_loss(struct charle_str words)
{
    static const char *const signs[] = {"server closed the connection", "could not send data", "could not receive data",
                                        "no connection to the server", "connection not open"};
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (words.len && memmem(words.ptr, words.len, signs[i], strlen(signs[i])))
            return true;
    return false;
}

enum charle_err ch_pg_fail(PGconn *connection, const PGresult *result, struct charle_error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!state) {
        struct charle_str words = first_line(result ? PQresultErrorMessage(result) : PQerrorMessage(connection));
        // After a failed write libpq still calls the connection good until everything that was sent to us is read.
        bool is_alive = PQstatus(connection) == CONNECTION_OK && !tells_of_loss(words);
        return charle_fail(err, is_alive ? CHARLE_INTERNAL : CHARLE_UNAVAILABLE, "PostgreSQL%s: %.*s",
                           is_alive ? "" : " was lost", CHARLE_FMT(words));
    }
    enum charle_err ours = meaning_of(state);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    // Both a cancel and a timeout are 57014; only the words differ.
    if (ours == CHARLE_CANCELLED && words && strstr(words, "timeout"))
        ours = CHARLE_DEADLINE_EXCEEDED;
    return charle_fail_foreign(err, ours, CHARLE_DOMAIN_POSTGRES, charle_sqlstate_pack(state), "%s%s%s%s",
                               words ? words : "an error without words", detail ? " (" : "", detail ? detail : "",
                               detail ? ")" : "");
}
