// Every bound of the program, in one place, each with its reason. Units are in the names.
#ifndef CHARLE_BASE_LIMITS_H
#define CHARLE_BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

// Memory. An arena that nobody gave a limit serves one call or one page; 64 MiB is far above both.
#define CH_ARENA_SIZE_MAX ((size_t)64 << 20)
#define CH_ARENA_BLOCK_SIZE_MAX ((size_t)1 << 20) // larger blocks only waste their tails
#define CH_BUF_SIZE_MAX ((size_t)64 << 20)

// Wire. Deep nesting is an attack (protobuf runtimes stop at 100); our schemas nest less than 10.
#define CH_MESSAGE_DEPTH_MAX 32
#define CH_MESSAGE_SIZE_MAX ((size_t)4 << 20) // one RPC message; pages and batches stay under 1 MiB
#define CH_ROW_SIZE_MAX ((size_t)3 << 20)     // a row that laptops hold, as text: with its frame it fits a message
#define CH_MESSAGE_AMPLIFY_MAX 32             // decoded bytes per encoded byte, against tiny sub-messages
#define CH_MESSAGE_AMPLIFY_FREE_SIZE ((size_t)256 << 10) // on top: a sparse patch is a large struct of few bytes
#define CH_NUMERIC_LEN_MAX 1000 // characters of a decimal; money and ratios need 20
#define CH_JSON_DEPTH_MAX 64    // of jsonb values; deeper ones are an attack on recursive readers

// RPC. A message larger than a frame travels in parts, so that no call waits long behind another one's bytes.
#define CH_RPC_FRAME_SIZE_MAX ((uint32_t)64 << 10)
#define CH_RPC_HELLO_SIZE_MAX 256                     // the only frame a stranger may send
#define CH_RPC_HELLO_MS 5000                          // as long as a stranger may take for it
#define CH_RPC_STREAM_WINDOW ((uint32_t)256 << 10)    // a stream's sender may be this far ahead of its reader
#define CH_RPC_PULL_WINDOW ((uint32_t)1 << 20)        // of a pull: pages of changes come while one is written; as much as a server holds unsent
#define CH_RPC_BULK_WINDOW ((uint32_t)6 << 20)        // of a copy: a batch can be written while the next one comes, 100 MB/s at 50 ms
#define CH_RPC_METHOD_LEN_MAX 200
#define CH_RPC_METHODS_MAX 256                        // method names remembered by number, a connection
#define CH_RPC_METADATA_COUNT_MAX 32
#define CH_RPC_METADATA_SIZE_MAX 8192                 // keys and values of one call, as web servers allow headers
#define CH_RPC_STATUS_TEXT_MAX 4096
#define CH_RPC_DETAILS_SIZE_MAX ((size_t)32 << 10)    // with text and trailers it still fits a frame
#define CH_RPC_CALLS_MAX 1024                         // in flight on a connection
#define CH_RPC_CONNECTIONS_MAX 4096
#define CH_RPC_CONNECTIONS_NEW_MAX 128                // without HELLO; the oldest goes when one more comes
#define CH_RPC_LISTENERS_MAX 8
#define CH_RPC_INTERCEPTORS_MAX 8
#define CH_RPC_READ_SIZE_FIRST 512                    // what an idle connection keeps to read into
#define CH_RPC_READ_SIZE_MAX ((size_t)256 << 10)      // two frames and more; one read call a burst
#define CH_RPC_WRITE_HIGH ((size_t)1 << 20)           // unsent bytes above which a server stops reading the peer
#define CH_RPC_WRITE_LOW ((size_t)256 << 10)          // and below which it goes on
#define CH_RPC_WRITE_MAX ((size_t)64 << 20)           // a peer that lets so much pile up is cut off
#define CH_RPC_HELD_SIZE_MAX ((size_t)32 << 20)       // request bytes of unfinished calls of one connection
#define CH_RPC_WAITING_CALLS_MAX 10000                // calls of a channel that wait for a connection
#define CH_RPC_WAITING_SIZE_MAX ((size_t)64 << 20)
#define CH_RPC_STALL_MS 60000                         // a peer that takes nothing of a stream for so long keeps a thread and a snapshot from others
#define CH_RPC_LINGER_MS 1000                         // to get the last words to a peer that is being cut off
#define CH_RPC_RATE_MIN ((size_t)16 << 10)            // bytes a second; a slower half-sent message is given up

// The bus between servers. A message of ours has 112 bytes; a whole mesh of 16 servers that dial both ways has 30 connections.
#define CH_BUS_MESSAGE_SIZE_MAX 256
#define CH_BUS_PEERS_MAX 15
#define CH_BUS_CONNECTIONS_MAX 64
#define CH_BUS_SILENT_MS 6000 // three signs of life, sent every 2 s

// Names. PostgreSQL cuts identifiers at 63 bytes; we refuse longer ones when the schema is compiled.
#define CH_IDENTIFIER_LEN_MAX 63
#define CH_INDEX_COLUMNS_MAX  32 // of a key, a unique or an index: PostgreSQL's own limit
#define CH_SCOPE_LEN_MAX 200 // "client:" and an id
#define CH_ID_LEN 26         // 48 bits of milliseconds and 80 random bits in Crockford base 32

// Sync. A page: large enough that its own cost does not count, small enough that replicas write the first of a moment's while the server still
// reads what follows.
#ifdef CHARLE_PLANTS
extern size_t ch_page_size; // the simulation's: small ones too, so that its small moments have many pages
#define CH_PAGE_SIZE_TARGET ch_page_size
#else
#define CH_PAGE_SIZE_TARGET ((size_t)128 << 10)
#endif
// Past so many changed rows a repair by hashes of ranges is cheaper than a delta, and the list of keys stays in memory.
#define CH_DELTA_KEYS_MAX 500000
#define CH_PUSH_CALLS_MAX 1000   // a batch that fails is halved; more gain nothing that can be measured
#define CH_PUSH_CALLS_UNSAID 500 // of a server that does not say how many it takes
#define CH_PUSH_SIZE_MAX ((size_t)1 << 20)
#define CH_OUTBOX_CALLS_MAX 1000000
#define CH_MERGE_PARAGRAPHS_MAX 400 // of one text; comparing takes the square of it: 320 KB
// The ring of ticks: a stream that is further behind pulls again, which costs it one snapshot of its own.
#define CH_TICKS_MAX 256
#define CH_TICKS_SIZE_MAX ((size_t)32 << 20)
// Persons whose scopes are read anew for one tick, about a millisecond each, before all their streams are told to pull instead.
#define CH_TICK_PERSONS_MAX 100
#define CH_SCOPES_PER_SESSION_MAX 10000
// Seed files. A range is what is checked and asked for again at once; the hashes of the largest file fill half a megabyte of a message.
#define CH_SEED_RANGE_SIZE ((uint32_t)256 << 10)
#define CH_SEED_RANGES_MAX 16384       // 4 GiB; a larger scope is copied in the ordinary way
#define CH_SEED_READ_MAX 64            // ranges of one request: the right to have them is looked at every 16 MiB
#define CH_SEED_FILES_MAX 64           // that a server keeps, old ones of a scope with it
#define CH_SEED_QUEUE_MAX 64           // scopes that wait for their file; others ask again
#define CH_SEED_SMALL_MAX 1024         // scopes remembered as too small for a file
#define CH_SEED_CACHE_KIB 32768        // memory of the one file that is being made

// Database. The prepared statements of a handle: 47 tables with five generated methods, and room. Bound values: PostgreSQL's protocol
// counts parameters in 16 bits, SQLite allows 32766; 16 MiB of them at once is far above any row and far below libpq's INT_MAX.
#define CH_STATEMENTS_MAX 512
#define CH_PARAMS_MAX 32766
#define CH_BIND_SIZE_MAX ((size_t)16 << 20)
#define CH_TABLES_MAX 1024             // of a schema; lists of them live on the stack
#define CH_COLUMNS_MAX 128            // a table's; the bits of struct charle_column_set
#define CH_TRANSACTION_DEPTH_MAX 16   // savepoints cost PostgreSQL more from the 64th on; nobody nests that deep on purpose
#define CH_TRANSACTION_TRIES_MAX 5    // of a transaction that lost against a concurrent one
#define CH_POOL_CONNECTIONS_MAX 1000  // PostgreSQL's own limit is about there
#define CH_POOL_WAITERS_MAX 10000     // callers that wait for a connection; more are told to come back later
// A query of the builder: far above what a person writes, far below what hurts a database.
#define CH_QUERY_TABLES_MAX 16
#define CH_QUERY_FIELDS_MAX 160       // members of a row of an answer: a whole table and some more
#define CH_QUERY_DEPTH_MAX 32         // of conditions in conditions
#define CH_QUERY_IN_MAX 1000          // values of one in(); longer lists belong into a table or a join
#define CH_QUERY_INSERT_ROWS 64       // rows of one INSERT; more gain nothing
#define CH_QUERY_TEXT_MAX ((size_t)1 << 20)
#define CH_PG_CONNECT_TIMEOUT_S 10    // a database that does not answer a handshake in ten seconds will not serve calls either
#define CH_PG_PIPELINE_MAX 10000      // results of a pipeline that wait to be read; they are in memory
#define CH_SQLITE_BUSY_TIMEOUT_MS 5000 // a local transaction takes milliseconds; a page of a first copy up to a second

#define CH_SEED_TRIES 3                // ranges that do not fit their hashes, then the rows are copied instead
#define CH_SEED_RATE_MIN 20000000      // bytes a second: on a slower line the rows alone are there sooner than pages with indexes
#define CH_SEED_RATE_AFTER ((size_t)16 << 20) // bytes after which a line is judged, or a second of waiting
#define CH_LINE_RATE_SLOW 4000000      // bytes a second: below that compressed pages are quicker, and no server's processor is that slow
#define CH_LINE_RATE_AFTER ((size_t)128 << 10)

// Client. A push is one transaction on the server; a quarter of a megabyte keeps it far below a second.
#define CH_PUSH_SIZE_TARGET ((size_t)256 << 10)
#define CH_PUSH_CALL_OVERHEAD 64                   // tags, numbers and hash of one call in a push
#define CH_CALL_REQUEST_SIZE_MAX ((size_t)1 << 20) // a queued call must fit a message with room to spare
#define CH_REPLIES_KEPT_MAX 1000                   // server's replies of calls that made provisional numbers; a list on a screen asks for fewer
#define CH_OUTBOX_KEPT_MAX 10000                   // confirmed calls kept in case the server's database goes back in time
// Calls of one device of which the server remembers what became of them, after the replica has the verdicts: for copies of the replica. A laptop that
// is used alone makes some hundred a day. 16 bytes a call in runs, 150 for each that came alone.
#define CH_CALLS_REMEMBERED_MAX 20000
#define CH_COPIED_CALLS_MAX 100000 // made under one device's name and brought by others: as many as a whole outbox of a week
#define CH_INBOX_ENTRIES_MAX 100000                // verdicts nobody looks at; the oldest go first
#define CH_REDIAL_MAX_US 5000000                   // after a partition everyone is back within this
#define CH_CAPTURE_ROWS_MAX 100000                 // rows one offline call may touch
#define CH_COPY_BATCH_SIZE ((size_t)4 << 20)       // rows of a copy in one transaction: a commit every 1,000 rows costs half the speed
#define CH_KEY_TEXT_MAX 2048                       // a primary key as text; PostgreSQL's own limit for an index entry is near
#define CH_COPY_STREAMS_MAX 3                      // copies at the same time: hides the network without piling up pages
#define CH_MOMENT_KEPT_MAX ((size_t)4 << 20)       // pages of a moment that is not complete, in memory; what is more is spooled
#define CH_SPOOL_CACHE_KIB 2048                    // what a moment of many pages may keep in memory before it goes to a temporary file
#define CH_WAL_PAGES_TARGET 1000                   // checkpoint behind this many pages
#define CH_REPLICA_PAGE_SIZE 8192                  // see client/layout.c
#define CH_KEY_PASSES 3                            // argon2id for the passphrase of a replica: 0.1 to 0.3 s on a laptop,
#define CH_KEY_MEMORY ((size_t)64 << 20)           // three times OWASP's least memory
#define CH_KEY_PASSES_MAX 20                       // of a key file: it is input, and must not hold a program up for ever
#define CH_KEY_MEMORY_MAX ((size_t)1 << 30)
#define CH_PASSPHRASE_LEN_MIN 8
#define CH_PASSPHRASE_LEN_MAX 1024
#define CH_REPLICA_BUSY_MS 5000                    // for programs that lock the file without the library's lock
#define CH_REPLICA_CACHE_KIB 16384                 // flat memory: the page cache of the writing connection
#define CH_EDGE_EVENTS_MAX 4096                    // events between the network's threads and the core
#define CH_LIVE_QUERIES_MAX 256                    // of one live; a screen shows a dozen
#define CH_LIVE_SIZE_DEFAULT ((size_t)16 << 20)    // of one live query's result: 40,000 rows of 350 bytes
#define CH_LIVE_POLL_MS 250                        // as often as the file is looked at for what other programs wrote
#define CH_LIVE_WRITER_WAIT_MS 20                  // a transaction in progress is waited for so long, then everything counts as changed
#define CH_METER_BUDGET_MIN 65536                  // opening a session and a page of a copy fit in it
#define CH_VERIFY_LEAF_ROWS 256                    // ranges this small are fetched, not divided again
#define CH_VERIFY_BUCKETS 64
#define CH_AUDIT_EVERY_S 3600                      // one table of one scope: the agency's come around in about a week of working hours
#define CH_AUDIT_RANGES_MAX 64                     // that one audit fetches: 16,384 rows; the rest waits for the next
#define CH_VERIFY_TRIES 5                          // how often a range that differs is asked again while the server is being written to

// Files. A piece is one message and one row: small beside rows that travel at the same time, large enough that a round trip of 20 ms leaves
// 12 MB/s. The largest file has 4,096 pieces, as many as its hash is worked out over in some seconds.
#define CH_FILE_PIECE_SIZE ((uint32_t)256 << 10)
#define CH_FILE_SIZE_MAX ((int64_t)1 << 30)          // default; an operator may set another
#define CH_FILE_SIZE_LIMIT ((int64_t)64 << 30)       // nobody may
#define CH_FILE_STORE_MAX ((int64_t)64 << 30)        // all files of a server; default
#define CH_FILE_UPLOADS_MAX 64                       // of one person at the same time: two per device and lots of devices
#define CH_FILE_MEDIA_TYPE_LEN_MAX 127               // RFC 6838
#define CH_FILE_CACHE_SIZE ((int64_t)256 << 20)      // of files on a replica that can be fetched again; default
#define CH_FILE_LIST_MAX 100000                      // files of a replica

// Generated services. A statement binds at most a row, its base, its key, a list per audience and the filters of a list.
#define CH_CRUD_PARAMS_MAX 400
#define CH_CRUD_AUDIENCES_MAX 32 // of one table; the agency's tables have up to 6
#define CH_CRUD_FILTERS_MAX 64   // the cost of a query stays in hand
#define CH_CRUD_IN_MAX 1000      // values of one filter
#define CH_CRUD_PAGE_ROWS_DEFAULT 20
#define CH_CRUD_PAGE_ROWS_MAX 1000
#define CH_CRUD_PAGE_SIZE_MAX ((size_t)1 << 20) // a page of large rows ends early
#define CH_CRUD_CASCADE_DEPTH_MAX 16     // deletes on a replica follow references this far
#define CH_CRUD_CASCADE_ROWS_MAX 100000  // and delete at most so many rows
#define CH_CRUD_STATEMENT_SIZE_MAX ((size_t)256 << 10) // text of one statement

#endif
