// Why charled left, as a number for scripts and service managers. Numbers are never reused.
#ifndef CHARLE_SERVER_EXIT_H
#define CHARLE_SERVER_EXIT_H

//  X(name, number, text)
#define CH_EXITS(X)                                                                      \
    X(OK, 0, "stopped as asked, or the check passed")                                    \
    X(FAILURE, 1, "an unexpected failure; the log says which")                           \
    X(USAGE, 2, "a flag, a variable or a line of charled.conf is wrong")                 \
    X(DATABASE, 3, "the database cannot be used: unreachable, refused, too old or full") \
    X(IN_USE, 4, "another server uses this data folder or this database")                \
    X(SCHEMA, 5, "the database's schema is not the one this program was built for")      \
    X(CLUSTER, 6, "the private PostgreSQL cannot be set up or started")                  \
    X(LISTEN, 7, "an address cannot be listened on")

enum ch_exit {
#define CH_EXIT_ENUM(name, number, text) CH_EXIT_##name = (number),
    CH_EXITS(CH_EXIT_ENUM)
#undef CH_EXIT_ENUM
};

void ch_exit_print_table(void); // on standard output, for --help

#endif
