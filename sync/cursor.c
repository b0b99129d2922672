#include "sync/cursor.h"

#include "base/err.h"

enum ch_delta_fit ch_delta_fit(int64_t stamp, int64_t from, int64_t to)
{
    if (from > stamp)
        return CH_DELTA_GAP;
    return to <= stamp ? CH_DELTA_OLD : CH_DELTA_APPLIES;
}

void ch_seen_add(struct ch_seen *seen, int64_t stamp, uint64_t lineage)
{
    if (stamp == 0 || seen->stamp == CH_SEEN_TORN)
        return;
    if (seen->stamp == 0)
        *seen = (struct ch_seen){stamp, lineage};
    else if (seen->lineage != lineage)
        seen->stamp = CH_SEEN_TORN;
    else if (stamp > seen->stamp)
        seen->stamp = stamp;
    CHARLE_ASSERT(seen->stamp >= stamp);
    CHARLE_ASSERT(seen->stamp == CH_SEEN_TORN || seen->lineage == lineage);
}

static size_t audience_len(struct charle_str scope)
{
    const char *colon = scope.len ? memchr(scope.ptr, ':', scope.len) : NULL;
    return colon ? (size_t)(colon - scope.ptr) : scope.len;
}

struct charle_str ch_scope_audience(struct charle_str scope)
{
    return charle_str_n(scope.ptr, audience_len(scope));
}

struct charle_str ch_scope_key(struct charle_str scope)
{
    size_t len = audience_len(scope);
    CHARLE_ASSERT(len <= scope.len);
    return len == scope.len ? CHARLE_STR("") : charle_str_n(scope.ptr + len + 1, scope.len - len - 1);
}
