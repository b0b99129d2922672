// Every bound of the program, in one place, each with its reason. Units are in the names.
#ifndef CHARLE_BASE_LIMITS_H
#define CHARLE_BASE_LIMITS_H

// Memory. An arena that nobody gave a limit serves one call or one page; 64 MiB is far above both.
#define CH_ARENA_SIZE_MAX ((size_t)64 << 20)
#define CH_ARENA_BLOCK_SIZE_MAX ((size_t)1 << 20) // larger blocks only waste their tails
#define CH_BUF_SIZE_MAX ((size_t)64 << 20)

// Wire. Deep nesting is an attack (protobuf runtimes stop at 100); our schemas nest less than 10.
#define CH_MESSAGE_DEPTH_MAX 32
#define CH_MESSAGE_SIZE_MAX ((size_t)4 << 20) // one RPC message; pages and batches stay under 1 MiB
#define CH_MESSAGE_AMPLIFY_MAX 32             // decoded bytes per encoded byte, against tiny sub-messages

// Names. PostgreSQL cuts identifiers at 63 bytes; we refuse longer ones when the schema is compiled.
#define CH_IDENTIFIER_LEN_MAX 63
#define CH_SCOPE_LEN_MAX 200 // "client:" and an id
#define CH_ID_LEN 26         // 48 bits of milliseconds and 80 random bits in Crockford base 32

// Sync. A page is one local transaction: large enough that its commit does not count, small enough to stay in memory.
#define CH_PAGE_SIZE_TARGET ((size_t)512 << 10)
#define CH_PUSH_CALLS_MAX 500
#define CH_PUSH_SIZE_MAX ((size_t)1 << 20)
#define CH_OUTBOX_CALLS_MAX 1000000
#define CH_SCOPES_PER_SESSION_MAX 10000

#endif
