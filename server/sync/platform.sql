-- The schema `charle`: stamps, the change log, devices, verdicts. Run as the owner of the application's tables; safe to run again.
--
-- How a change gets its stamp (docs/decisions/0005-stamp-triggers.md has the reasons and the figures)
--
--   1. A row trigger, made by the generator for each replicated table, works out the scopes that the old and the new row are in and
--      appends one entry for each to the setting charle.pending. The setting is local to the transaction: savepoints take it back.
--   2. At commit a deferred constraint trigger on the same table calls charle.raise(). The first event of the transaction raises the heads
--      of all scopes in sorted order and writes the entries to charle.change; the other events find nothing left to do.
--
--   charle.pending is   ':' [key ['~' chunks] ['+']] { U+001E scope U+001F table op U+001F row-key }
--   ':' alone is also what a session keeps between transactions that write: RESET ALL turns it into nothing, and charle.unmarked() looks.
--     key   of the transaction, from charle.raise_seq; once heads were raised or entries were spilled
--     ~n    so many of the settings charle.held_1, charle.held_2, … hold entries that were here before
--     '+'   there are entries in them or in charle.touched that no head was raised for yet
--     op    'u' the row is new or other than before, 'd' it left the scope; a hint: readers look at the rows as they are
--
--   Large transactions spill: when the setting grows past 4,000 bytes its entries move to the next of the held settings, and at the raise, or when
--   sixteen of those are full, to charle.touched under the transaction's key: one row for each scope, table and op, with an array of row keys,
--   because a row for each entry costs three times as much. charle.change gets one row per scope that refers to them. TRUNCATE writes to
--   charle.touched directly. Read both through the view charle.entry.
--
-- A head says under which start of the server its stamps are counted (`at`), and in which table (`home`, its OID): a dump that is loaded into the
-- running server brings `at` along, but makes tables anew. When either is another, the slow path looks at charle.cluster, begins an epoch if
-- nobody has yet, and moves the head on to it.

create schema if not exists charle;

-- --- tables ------------------------------------------------------------------------------------------------------------------------

create table if not exists charle.cluster (
    id          int4 primary key default 1 check (id = 1),
    server_id   bytea not null default decode(replace(gen_random_uuid()::text, '-', ''), 'hex'),
    epoch       int8 not null default 0,
    at          timestamptz not null default '-infinity' -- start of the server for which the epoch was begun
);
alter table charle.cluster add column if not exists home oid not null default 0; -- the OID this table had then
insert into charle.cluster default values on conflict do nothing;

create table if not exists charle.epoch (
    epoch       int8 primary key,
    lineage     int8 not null,      -- random: tells an epoch from one of the same number in a past that was lost
    started_at  timestamptz not null,
    system_id   int8,
    timeline    int8
);

-- One row a scope. Rows are updated at every raise: they stay HOT because no indexed column changes. Pages are kept nearly empty: versions
-- find room beside their row, writers seldom meet on a page, and the table is never so small that the planner would rather read all of it.
create table if not exists charle.head (
    scope       text collate "C" primary key,
    v           int8 not null,      -- the newest stamp
    txn         int8 not null,      -- key of the transaction that made it
    at          timestamptz not null,
    floor       int8 not null default 0, -- the log is whole above this stamp
    hist        int8[] not null default '{}' -- where older epochs ended, ascending
) with (fillfactor = 12, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table charle.head add column if not exists home oid not null default 0; -- the OID this table had when `at` was set

create table if not exists charle.change (
    scope       text collate "C" not null,
    v           int8 not null,
    tab         int4,               -- id of the table; 0: charle.device; null: look in charle.touched for `txn`
    op          "char",
    key         text collate "C",
    txn         int8                -- of entries in charle.touched; null: the entry is here
);
create index if not exists change_scope_v_idx on charle.change (scope, v);

create table if not exists charle.touched (
    txn         int8 not null,
    scope       text collate "C" not null, -- '': the row that arms the raise, not an entry
    tab         int4,
    op          "char",
    key         text collate "C",
    first       bool not null default false
);
alter table charle.touched add column if not exists keys text[] collate "C"; -- of many entries, instead of `key`
alter table charle.touched alter column keys set storage external; -- compressing costs more than it saves
create index if not exists touched_txn_scope_idx on charle.touched (txn, scope);

create or replace view charle.entry as
    select scope, v, tab, op, key from charle.change where txn is null
    union all
    select c.scope, c.v, t.tab, t.op, k.key collate "C"
    from charle.change c join charle.touched t on t.txn = c.txn and t.scope = c.scope
         cross join lateral unnest(coalesce(t.keys, array[t.key])) k (key) where c.txn is not null;

-- Where heads stood when the log was compacted: tells how old a stamp is.
create table if not exists charle.mark (
    scope       text collate "C" not null,
    v           int8 not null,
    taken_at    timestamptz not null,
    primary key (scope, v)
);

-- Rows that path audiences go through are locked by groups: a transaction that changes a link locks what it leads to, others
-- share. The lock is an advisory one; the row here gives repeatable-read transactions their serialization failure.
create table if not exists charle.gate (
    tab         int4 not null,
    bucket      int4 not null,
    n           int8 not null default 0,
    primary key (tab, bucket)
) with (fillfactor = 50);

-- One row a replica. It is in the scope device:<id>, which is raised when last_sequence moves.
create table if not exists charle.device (
    id            text collate "C" primary key,
    principal     text not null,
    principal_id  text not null,
    name          text,
    schema_hash   int8,
    last_sequence int8 not null default 0, -- the newest call of its outbox that was dealt with
    last_hash     int8 not null default 0, -- the chain hash of that call
    created_at    timestamptz not null default now(),
    opened_at     timestamptz not null default now()
);
-- An order to wipe it stands until it is taken back. The device proves itself by its key when its session was revoked.
alter table charle.device add column if not exists key_hash bytea, add column if not exists wipe_at timestamptz,
    add column if not exists wipe_pushes bool not null default false, add column if not exists wipe_by text,
    add column if not exists told_at timestamptz, add column if not exists wiped_at timestamptz, add column if not exists wiped_calls int8;
-- How far the server remembers a device's calls, and who else brings them (docs/decisions/0021-copied-laptops.md). "forgotten" of devices that are older
-- than the column is set by charle.forget_calls(); until then nothing is said to be known of them.
alter table charle.device add column if not exists acknowledged int8 not null default 0, -- the replica has the verdicts up to this number
    add column if not exists copied_calls int8 not null default 0,                        -- calls made under this name that other devices brought
    add column if not exists forgotten int8 not null default 9223372036854775807;         -- nothing is known of numbers up to this one
alter table charle.device alter column forgotten set default 0;
create index if not exists device_principal_idx on charle.device (principal, principal_id);

-- Schemas of replicas that were built with another version than the server's, by the hash of their shape (sync/shape.h).
create table if not exists charle.shape (
    hash        int8 primary key,
    shape       bytea not null,
    met_at      timestamptz not null default now()
);

-- Verdicts. When the replica says that it has them they lose their replies and rows, and are kept for copies of the replica that ask for the same calls
-- (charle.forget_calls()). Calls that were simply applied stand together, many in a row: those from "first" to "sequence", with hash and seed of each.
create table if not exists charle.verdict (
    device_id   text collate "C" not null references charle.device on delete cascade,
    sequence    int8 not null,
    hash        int8 not null,      -- the chain hash of the call: a repeat must have the same
    kind        int4 not null,
    code        int4,
    text        text,
    reply       bytea,
    tab         int4,
    key         text,
    row         bytea,
    at          timestamptz not null default now(),
    primary key (device_id, sequence)
);
alter table charle.verdict add column if not exists first int8;
alter table charle.verdict add column if not exists hashes int8[];
alter table charle.verdict alter column hashes set storage external; -- they do not get smaller
alter table charle.verdict add column if not exists seed int8, add column if not exists seeds int8[];
alter table charle.verdict alter column seeds set storage external;

-- Calls that another device brought than the one under whose name they were made: a copy of that one's replica. A call keeps its seed wherever it goes.
create table if not exists charle.taken (
    origin      text collate "C" not null references charle.device on delete cascade,
    seed        int8 not null,
    kind        int4 not null,
    code        int4,
    text        text,
    at          timestamptz not null default now(),
    primary key (origin, seed)
);

-- Files that rows refer to (docs/decisions/0015-attachments.md). Columns with `attachment: true` have foreign keys to charle.file.
-- Bytes on their way are one person's: what others send under the same name, true or not, is not mixed with them.
create table if not exists charle.content (
    id            int8 generated always as identity primary key,
    hash          text collate "C" not null,
    principal     text not null,
    principal_id  text not null,
    size          int8 not null,
    media_type    text,
    received      int8 not null default 0, -- bytes; pieces come in order
    is_whole      bool not null default false,
    touched_at    timestamptz not null default now()
);
create unique index if not exists content_on_its_way_idx on charle.content (principal, principal_id, hash) where not is_whole;
create index if not exists content_touched_idx on charle.content (touched_at) where not is_whole;
create table if not exists charle.piece (
    content       int8 not null references charle.content on delete cascade,
    n             int4 not null,
    data          bytea not null,
    primary key (content, n)
);
alter table charle.piece alter column data set storage external;
create table if not exists charle.file (
    hash          text collate "C" primary key,
    content       int8 not null references charle.content,
    touched_at    timestamptz not null default now() -- somebody meant to refer to it, or it was looked at whether anybody does
);
create index if not exists file_touched_idx on charle.file (touched_at);
-- Who has shown to have the bytes, and may refer to them.
create table if not exists charle.file_holder (
    hash          text collate "C" not null references charle.file on delete cascade,
    principal     text not null,
    principal_id  text not null,
    primary key (hash, principal, principal_id)
);

-- Forgets files that no row refers to and nobody has offered for `grace`, and uploads that were given up as long ago. Whether a row refers to a
-- file is asked of the foreign keys, by trying: one that was put in at this moment holds the file's row, so that is left alone. A file
-- that is needed is looked at again after another `grace`. Returns how many it looked at, at most `count`.
create or replace function charle.forget_files(a_grace interval, a_count int4) returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    f record;
    looked int8 := 0;
begin
    for f in select x.hash, x.content from charle.file x where x.touched_at < now() - a_grace
             order by x.touched_at limit a_count for update skip locked
    loop
        looked := looked + 1;
        begin
            delete from charle.file x where x.hash = f.hash;
            delete from charle.content c where c.id = f.content;
        exception when foreign_key_violation then
            update charle.file x set touched_at = now() where x.hash = f.hash;
        end;
    end loop;
    for f in select c.id from charle.content c where not c.is_whole and c.touched_at < now() - a_grace
             order by c.touched_at limit a_count for update skip locked
    loop
        looked := looked + 1;
        delete from charle.content c where c.id = f.id;
    end loop;
    return looked;
end $$;

-- Moves at every raise. Keys of transactions come from it too; an xid will not do, because those come back after a restore.
create sequence if not exists charle.raise_seq cache 1;

-- --- epochs ------------------------------------------------------------------------------------------------------------------------

-- The epoch of the running server, begun if need be. Whoever begins it holds the lock on charle.cluster until its commit.
create or replace function charle.epoch_now() returns int8 language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    e int8;
    a timestamptz;
    u text := replace(gen_random_uuid()::text, '-', '');
begin
    select c.epoch, case when c.home = c.tableoid then c.at end into strict e, a from charle.cluster c where c.id = 1;
    if a = pg_postmaster_start_time() then
        return e;
    end if;
    select c.epoch, case when c.home = c.tableoid then c.at end into strict e, a from charle.cluster c where c.id = 1 for update;
    if a = pg_postmaster_start_time() then
        return e;
    end if;
    e := greatest(e + 1, extract(epoch from clock_timestamp() - timestamptz '2020-01-01 00:00:00+00')::int8);
    -- The first and last twelve and four digits of a version 4 UUID are random.
    insert into charle.epoch (epoch, lineage, started_at, system_id, timeline)
        select e, ('x' || left(u, 12) || right(u, 4))::bit(64)::int8, clock_timestamp(),
               (select s.system_identifier from pg_control_system() s), (select p.timeline_id from pg_control_checkpoint() p);
    update charle.cluster c set epoch = e, at = pg_postmaster_start_time(), home = c.tableoid where c.id = 1;
    return e;
end $$;

-- --- raising -----------------------------------------------------------------------------------------------------------------------

-- Raises one head, once per transaction key, and returns its stamp.
create or replace function charle.raise_scope(a_scope text, a_txn int8) returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    e int8;
    stamp int8;
begin
    update charle.head h set v = h.v + 1, txn = a_txn
        where h.scope = a_scope and h.txn <> a_txn and h.at = pg_postmaster_start_time() and h.home = h.tableoid returning h.v into stamp;
    if found then
        return stamp;
    end if;
    e := charle.epoch_now();
    insert into charle.head as h (scope, v, txn, at, home)
        values (a_scope, (e << 33) | 1, a_txn, pg_postmaster_start_time(), 'charle.head'::regclass)
        on conflict (scope) do update set
            hist = case when h.v >> 33 = e then h.hist else h.hist || h.v end,
            v = case when h.v >> 33 = e then h.v + 1 else excluded.v end, txn = excluded.txn, at = excluded.at, home = excluded.home
        -- A key from before this start of the server is another transaction's, even if it is the same: a sequence that came with a copied
        -- template database goes back in a crash.
        where h.txn <> excluded.txn or h.at <> excluded.at or h.home <> excluded.home
        returning h.v into stamp;
    if not found then
        select h.v into strict stamp from charle.head h where h.scope = a_scope; -- this transaction has raised it before
    end if;
    return stamp;
end $$;

-- Many entries, or spilled ones, set by set. Heads that were raised since the server started, as a rule all of them, are raised together:
-- locked in sorted order and then changed, a fifth of what one by one costs. If one of them was not, all go one by one, so that the order in
-- which locks are taken is the same.
create or replace function charle.raise_many(a_entries text[], a_txn int8, a_spilled bool) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    s text;
    scopes text[];
begin
    -- Not a union, whose hash table would be as large as the planner fears.
    select coalesce(array_agg(distinct split_part(e, e'\x1f', 1) collate "C"), '{}') into scopes from unnest(a_entries) e;
    if a_spilled then
        select coalesce(array_agg(distinct x.scope), '{}') into scopes from (
            select s1 collate "C" as scope from unnest(scopes) s1
            union all
            select t.scope from charle.touched t where t.txn = a_txn and t.scope <> '') x;
    end if;
    if (select count(*) from charle.head h where h.scope = any (scopes) and h.at = pg_postmaster_start_time()
            and h.home = h.tableoid) = cardinality(scopes) then
        perform from charle.head h where h.scope = any (scopes) order by h.scope for no key update;
        update charle.head h set v = h.v + 1, txn = a_txn where h.scope = any (scopes) and h.txn <> a_txn;
    else
        foreach s in array scopes loop
            perform charle.raise_scope(s, a_txn);
        end loop;
    end if;
    insert into charle.change (scope, v, tab, op, key)
        select h.scope, h.v, left(split_part(e, e'\x1f', 2), -1)::int4, right(split_part(e, e'\x1f', 2), 1)::"char",
               split_part(e, e'\x1f', 3)
        from unnest(a_entries) e join charle.head h on h.scope = split_part(e, e'\x1f', 1) collate "C";
    if a_spilled then
        insert into charle.change (scope, v, txn)
            select h.scope, h.v, a_txn from charle.head h
            where h.scope = any (scopes)
              and exists (select from charle.touched t where t.txn = a_txn and t.scope = h.scope)
              and not exists (select from charle.change c where c.scope = h.scope and c.v = h.v and c.txn = a_txn);
    end if;
end $$;

-- The slow way: spilled or many entries, and the second raise of one transaction. The plans are generic: planned for the very entries they
-- would be made anew each time.
create or replace function charle.raise_slow(a_pending text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    entries text[] := string_to_array(a_pending, e'\x1e');
    mark    text := entries[1];
    txn_    int8;
    done    text;
begin
    if (mark ~ '^:([0-9]+(~[0-9]+)?[+]?)?$') is not true then
        raise exception 'the changes of this transaction cannot be stamped: the setting charle.pending was changed after them'
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'Do not run RESET ALL or set charle.pending inside a transaction that writes.';
    end if;
    if cardinality(entries) = 1 and right(mark, 1) <> '+' then
        return null;
    end if;
    txn_ := nextval('charle.raise_seq'); -- also the sign for those who wait for raises
    if mark <> ':' then
        txn_ := substring(mark from '[0-9]+')::int8;
    end if;
    if strpos(mark, '~') > 0 then
        perform charle.write_held(a_pending, txn_);
        entries := array[mark];
    end if;
    done := set_config('charle.pending', ':' || txn_, true);
    if current_setting('synchronous_commit') = 'off' then
        done := set_config('synchronous_commit', 'on', true);
    end if;
    perform charle.raise_many(entries[2:], txn_, right(mark, 1) = '+');
    return null;
end $$;

-- Two to eight entries of a transaction that has raised nothing yet. Heads are raised in sorted order, so that two transactions never wait for
-- each other in a ring. As in charle.raise(), every name says its schema; and the entries are read from the setting rather than given as a
-- parameter, because PostgreSQL would plan anew for each number of them.
create or replace function charle.raise_few(a_pending pg_catalog.text) returns pg_catalog.text language plpgsql as $$
declare
    entries pg_catalog.text[];
    scope_  pg_catalog.text;
    last    pg_catalog.text := '';
    stamps  pg_catalog.int8[];
    stamp   pg_catalog.int8;
    txn_    pg_catalog.int8;
    done    pg_catalog.text;
begin
    entries := pg_catalog.string_to_array(a_pending, e'\x1e');
    if pg_catalog.cardinality(entries) operator(pg_catalog.>) 3 then
        -- The mark is ':', which comes before the names of all scopes.
        select pg_catalog.array_agg(e order by e collate pg_catalog."C") into strict entries
            from pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.current_setting('charle.pending'), e'\x1e')) e;
    elsif entries[2] collate pg_catalog."C" operator(pg_catalog.>) entries[3] then
        entries := array[':', entries[3], entries[2]];
    end if;
    txn_ := pg_catalog.nextval('charle.raise_seq');
    for i in 2 .. pg_catalog.cardinality(entries) loop
        scope_ := pg_catalog.split_part(entries[i], e'\x1f', 1);
        if scope_ operator(pg_catalog.<>) last then
            last := scope_;
            update charle.head h set v = h.v operator(pg_catalog.+) 1, txn = txn_
                where h.scope operator(pg_catalog.=) scope_ and h.at operator(pg_catalog.=) pg_catalog.pg_postmaster_start_time()
                  and h.home operator(pg_catalog.=) h.tableoid
                returning h.v into stamp;
            if not found then
                stamp := charle.raise_scope(scope_, txn_);
            end if;
        end if;
        stamps[i] := stamp;
    end loop;
    done := pg_catalog.set_config('charle.pending', pg_catalog.array_to_string(entries, e'\x1e'), true);
    insert into charle.change (scope, v, tab, op, key)
        select pg_catalog.split_part(x.e, e'\x1f', 1), stamps[x.n],
               pg_catalog.left(pg_catalog.split_part(x.e, e'\x1f', 2), -1)::pg_catalog.int4,
               pg_catalog.right(pg_catalog.split_part(x.e, e'\x1f', 2), 1)::pg_catalog."char", pg_catalog.split_part(x.e, e'\x1f', 3)
        from pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.current_setting('charle.pending'), e'\x1e')) with ordinality as x (e, n)
        where x.n operator(pg_catalog.>) 1;
    done := case when pg_catalog.current_setting('synchronous_commit') operator(pg_catalog.=) 'off'
        then pg_catalog.set_config('synchronous_commit', 'on', true) else '' end
        operator(pg_catalog.||) pg_catalog.set_config('charle.pending', ':' operator(pg_catalog.||) txn_::pg_catalog.text, true);
    return null;
end $$;
alter function charle.raise_few(text) reset search_path;

-- The trigger. Nearly every transaction has one entry whose head is in the running epoch; that way has as few expressions and statements
-- as can be, because PL/pgSQL sets up each of them anew in every transaction. It runs with its owner's rights and the caller's search
-- path, since setting another one is a tenth of the cost: so every name and operator here says its schema.
create or replace function charle.raise() returns trigger language plpgsql security definer as $$
declare
    pending pg_catalog.text;
    stamp   pg_catalog.int8;
    txn_    pg_catalog.int8;
    done    pg_catalog.text;
begin
    pending := pg_catalog.current_setting('charle.pending', true);
    if pg_catalog.left(pending, 2) operator(pg_catalog.=) e':\x1e' and pg_catalog.split_part(pending, e'\x1e', 3) operator(pg_catalog.=) '' then
        update charle.head h set v = h.v operator(pg_catalog.+) 1, txn = pg_catalog.nextval('charle.raise_seq')
            where h.scope operator(pg_catalog.=) pg_catalog.substr(pg_catalog.split_part(pending, e'\x1f', 1), 3)
              and h.at operator(pg_catalog.=) pg_catalog.pg_postmaster_start_time() and h.home operator(pg_catalog.=) h.tableoid
            returning h.v, h.txn into stamp, txn_;
        if found then
            insert into charle.change (scope, v, tab, op, key)
                values (pg_catalog.substr(pg_catalog.split_part(pending, e'\x1f', 1), 3), stamp,
                        pg_catalog.left(pg_catalog.split_part(pending, e'\x1f', 2), -1)::pg_catalog.int4,
                        pg_catalog.right(pg_catalog.split_part(pending, e'\x1f', 2), 1)::pg_catalog."char",
                        pg_catalog.split_part(pending, e'\x1f', 3));
            -- A stamp must never be seen before it is safe on disk.
            done := case when pg_catalog.current_setting('synchronous_commit') operator(pg_catalog.=) 'off'
                then pg_catalog.set_config('synchronous_commit', 'on', true) else '' end
                operator(pg_catalog.||) pg_catalog.set_config('charle.pending', ':' operator(pg_catalog.||) txn_::pg_catalog.text, true);
            return null;
        end if;
    elsif pg_catalog.left(pending, 2) operator(pg_catalog.=) e':\x1e' and pg_catalog.split_part(pending, e'\x1e', 10) operator(pg_catalog.=) '' then
        done := charle.raise_few(pending);
        return null;
    elsif pg_catalog.left(pending, 1) operator(pg_catalog.=) ':' and pg_catalog.strpos(pending, e'\x1e') operator(pg_catalog.=) 0
            and pg_catalog.right(pending, 1) operator(pg_catalog.<>) '+' then
        return null; -- nothing changed, or an earlier event of this transaction has raised everything
    end if;
    done := charle.raise_slow(pending);
    return null;
end $$;
alter function charle.raise() reset search_path;

drop trigger if exists charle_raise on charle.touched;
create constraint trigger charle_raise after insert on charle.touched deferrable initially deferred
    for each row when (new.first) execute function charle.raise();
alter table charle.touched enable always trigger charle_raise;

-- --- called by the triggers that the generator makes -----------------------------------------------------------------------------------

-- What is pending when the setting holds nothing: the start of a transaction in a new session, or after a RESET ALL or DISCARD ALL that
-- came before it; or else a RESET ALL after writes of this transaction, whose entries are gone. These have left their lock
-- (a shared one: a prepared transaction keeps it, and the session's next one takes it too). From here on the
-- session's own value is the bare mark, so that the next transactions need not look.
create or replace function charle.unmarked() returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- In a session that has never had the setting there was nothing to throw away.
    if current_setting('charle.pending', true) is not null and exists (
        select from pg_locks l where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.classid = 1128792063 and l.objsubid = 2)
    then
        raise exception 'the changes of this transaction cannot be stamped: the setting charle.pending was reset after the first of them'
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'Roll back, and do not run RESET ALL or set charle.pending inside a transaction that writes.';
    end if;
    perform set_config('charle.pending', ':', false), pg_advisory_xact_lock_shared(1128792063, pg_backend_pid());
    return ':';
end $$;

-- The transaction's pending text, or an empty one.
create or replace function charle.pending() returns text language sql security definer set search_path = pg_catalog, pg_temp as $$
    select case when octet_length(s) > 1 then s
                when s = ':' and pg_try_advisory_xact_lock_shared(1128792063, pg_backend_pid()) then s
                else charle.unmarked() end
    from current_setting('charle.pending', true) s
$$;

-- Gives the transaction its key, for those who write to charle.touched themselves: then charle.spill(), which arms the raise.
create or replace function charle.keyed(a_pending text, out pending text, out txn int8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mark text := split_part(a_pending, e'\x1e', 1);
begin
    pending := a_pending;
    if mark = ':' then
        txn := nextval('charle.raise_seq');
        pending := ':' || txn || substr(a_pending, 2);
    else
        txn := substring(mark from '[0-9]+')::int8;
    end if;
end $$;

-- Writes the entries of a pending text and those that it says are held to charle.touched.
create or replace function charle.write_held(a_pending text, a_txn int8) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    mark    text := split_part(a_pending, e'\x1e', 1);
    chunks  int4 := coalesce(substring(mark from '~([0-9]+)')::int4, 0);
    entries text := substr(a_pending, length(mark) + 1);
    chunk   text;
begin
    for i in 1 .. chunks loop
        chunk := current_setting('charle.held_' || i, true);
        if coalesce(chunk, '') = '' then
            raise exception 'the changes of this transaction cannot be stamped: the setting charle.held_% was changed after them', i
                using errcode = 'object_not_in_prerequisite_state',
                      hint = 'Do not run RESET ALL or set charle.held_… inside a transaction that writes.';
        end if;
        entries := entries || chunk;
    end loop;
    insert into charle.touched (txn, scope, tab, op, keys)
        select a_txn, x.scope, left(x.what, -1)::int4, right(x.what, 1)::"char", x.keys
        from (select split_part(e, e'\x1f', 1) collate "C" as scope, split_part(e, e'\x1f', 2) collate "C" as what,
                     array_agg(split_part(e, e'\x1f', 3)) as keys
              from unnest((string_to_array(entries, e'\x1e'))[2:]) e group by 1, 2) x;
end $$;

-- Moves the entries of a pending text out of the way, arms the raise, and returns (and sets) the text that is left. Arming comes last: when
-- constraints are immediate the raise runs at once.
create or replace function charle.spill(a_pending text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pending_ text := a_pending;
    txn_     int8;
    mark     text := split_part(a_pending, e'\x1e', 1);
    chunks   int4 := 0;
    done     text;
begin
    if mark = ':' then
        select k.pending, k.txn into strict pending_, txn_ from charle.keyed(a_pending) k;
        mark := split_part(pending_, e'\x1e', 1);
    else
        txn_ := substring(mark from '[0-9]+')::int8;
        chunks := coalesce(substring(mark from '~([0-9]+)')::int4, 0);
    end if;
    if chunks >= 16 then
        perform charle.write_held(pending_, txn_);
        chunks := 0;
    elsif length(pending_) > length(mark) then
        chunks := chunks + 1;
        done := set_config('charle.held_' || chunks, substr(pending_, length(mark) + 1), true);
    end if;
    done := set_config('charle.pending', ':' || txn_ || case when chunks > 0 then '~' || chunks else '' end || '+', true);
    if right(mark, 1) <> '+' then
        insert into charle.touched (txn, scope, first) values (txn_, '', true);
    end if;
    return current_setting('charle.pending');
end $$;

-- A scope or a key on its way into charle.pending. Nobody writes such names; a forged one must not hide a change.
create or replace function charle.clean(a_name text) returns text language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if a_name ~ e'[\x1e\x1f]' then
        raise exception 'keys of replicated rows must not hold the control characters U+001E and U+001F'
            using errcode = 'invalid_text_representation';
    end if;
    return a_name;
end $$;

-- Locks the groups that rows of a table belong to, see charle.gate. In sorted order, at most 256 locks a table. Who changes a link must see
-- what others have committed meanwhile, which an older snapshot does not.
create or replace function charle.lock_rows(a_tab int4, a_keys text[], a_exclusive bool) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    is_fresh bool := current_setting('transaction_isolation') in ('read committed', 'read uncommitted');
    b        int4;
begin
    if a_exclusive and not is_fresh then
        raise exception 'this change decides who sees rows of other tables, and a % transaction cannot find all of them',
                upper(current_setting('transaction_isolation'))
            using errcode = 'feature_not_supported', hint = 'Run it in a READ COMMITTED transaction.';
    end if;
    for b in select distinct hashtext(k) & 255 from unnest(a_keys) k order by 1 loop
        if a_exclusive then
            perform pg_advisory_xact_lock(1128792064 + a_tab, b); -- 'CH' in the upper half
            insert into charle.gate as g (tab, bucket, n) values (a_tab, b, 1)
                on conflict (tab, bucket) do update set n = g.n + 1;
        else
            perform pg_advisory_xact_lock_shared(1128792064 + a_tab, b);
            if not is_fresh then
                perform from charle.gate g where g.tab = a_tab and g.bucket = b for share;
            end if;
        end if;
    end loop;
end $$;

-- Takes the triggers of a table's audiences away, from the table itself and from the tables its paths go through.
create or replace function charle.unstamp(a_tab int4) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    t record;
begin
    for t in
        select g.tgname, g.tgrelid::regclass as rel
        from pg_trigger g join pg_proc p on p.oid = g.tgfoid join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'charle' and p.proname = 't' || a_tab || '_log'
    loop
        execute format('drop trigger if exists charle_raise on %s', t.rel);
    end loop;
    for t in
        select p.oid::regprocedure as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'charle' and p.proname ~ ('^t' || a_tab || '_')
    loop
        execute format('drop function if exists %s cascade', t.name);
    end loop;
end $$;

-- --- devices -----------------------------------------------------------------------------------------------------------------------

create or replace function charle.device_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    pending text := charle.pending();
begin
    if tg_op = 'INSERT' then
        pending := pending || e'\x1edevice:' || new.id || e'\x1f0u\x1f' || new.id;
    elsif tg_op = 'DELETE' then
        pending := pending || e'\x1edevice:' || old.id || e'\x1f0d\x1f' || old.id;
    elsif new.last_sequence <> old.last_sequence or new.wipe_at is distinct from old.wipe_at then
        pending := pending || e'\x1edevice:' || new.id || e'\x1f0u\x1f' || new.id;
    end if;
    pending := set_config('charle.pending', pending, true);
    return null;
end $$;
drop trigger if exists charle_log on charle.device;
create trigger charle_log after insert or update or delete on charle.device for each row execute function charle.device_log();
alter table charle.device enable always trigger charle_log;
drop trigger if exists charle_raise on charle.device;
create constraint trigger charle_raise after insert or update or delete on charle.device deferrable initially deferred
    for each row execute function charle.raise();
alter table charle.device enable always trigger charle_raise;
alter table charle.device drop constraint if exists device_id_check;
alter table charle.device add constraint device_id_check check (id ~ '^[0-9A-Za-z_-]{1,64}$');

-- --- upkeep ------------------------------------------------------------------------------------------------------------------------

-- Three steps, each a transaction of its own (server/upkeep.c), because forgetting locks heads: writers of these scopes wait until it commits.

-- Notes where heads stand, at most once a day for each scope: that tells later how old a stamp is.
create or replace function charle.note_heads() returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    n int8;
begin
    insert into charle.mark (scope, v, taken_at)
        select h.scope, h.v, now() from charle.head h
        where not exists (select from charle.mark m where m.scope = h.scope and (m.v = h.v or m.taken_at > now() - interval '1 day'))
        on conflict do nothing;
    get diagnostics n = row_count;
    return n;
end $$;

-- Forgets the entries of at most `a_limit` scopes that are older than `a_keep`: cursors below the floor are repaired. Returns how many scopes
-- had something to forget; 0: done.
create or replace function charle.forget(a_keep interval, a_limit int4) returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    total int8 := 0;
    r record;
begin
    for r in
        select m.scope, max(m.v) as v from charle.mark m join charle.head h using (scope)
        where m.taken_at < now() - a_keep and (h.floor < m.v or exists (select from charle.mark o where o.scope = m.scope and o.v < m.v))
        group by m.scope order by m.scope limit a_limit
    loop
        -- Epochs that ended below the floor can hold no good cursor any more.
        update charle.head h set floor = r.v, hist = array(select e from unnest(h.hist) e where e > r.v order by e)
            where h.scope = r.scope and h.floor < r.v;
        delete from charle.change c where c.scope = r.scope and c.v <= r.v;
        delete from charle.mark m where m.scope = r.scope and m.v < r.v;
        total := total + 1;
    end loop;
    return total;
end $$;

-- Forgets the calls of at most `a_limit` devices that the replica has verdicts of, but for the newest `a_keep`. Returns how many devices had any; 0: done.
create or replace function charle.forget_calls(a_keep int8, a_limit int4) returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    total int8 := 0;
    r record;
begin
    update charle.device d set forgotten = d.last_sequence where d.forgotten > d.last_sequence;
    -- Not before there are some more, so that each round does not delete a few of everybody.
    for r in
        select d.id, least(d.acknowledged, d.last_sequence - a_keep) as upto from charle.device d
        where least(d.acknowledged, d.last_sequence - a_keep) > d.forgotten + a_keep / 8 order by d.id limit a_limit
    loop
        update charle.device d set forgotten = r.upto where d.id = r.id;
        delete from charle.verdict v where v.device_id = r.id and v.sequence <= r.upto;
        total := total + 1;
    end loop;
    return total;
end $$;

-- Keeps the last entry of each (scope, table, key) only. Returns the number of entries removed. Locks nothing that writers need.
create or replace function charle.thin() returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    n int8;
    total int8 := 0;
begin
    delete from charle.change c using (
        select e.scope, e.tab, e.key, max(e.v) as v from charle.entry e group by e.scope, e.tab, e.key) newest
        where c.txn is null and c.scope = newest.scope and c.tab = newest.tab and c.key = newest.key and c.v < newest.v;
    get diagnostics n = row_count;
    total := total + n;
    -- Spilled entries: the ones that have a newer entry, and rows of which nothing is left, then those that no stamp refers to any more. A row
    -- that somebody else thins at the same time is another version by then, and is left to him.
    with newest as (
        select e.scope, e.tab, e.key, max(e.v) as v from charle.entry e group by e.scope, e.tab, e.key
    ), thinner as (
        select t.ctid as at, count(*) filter (where c.v < w.v) as gone, array_agg(k.key) filter (where c.v >= w.v) as keys
        from charle.touched t join charle.change c on c.txn = t.txn and c.scope = t.scope
             cross join lateral unnest(coalesce(t.keys, array[t.key])) k (key)
             join newest w on w.scope = t.scope and w.tab = t.tab and w.key = k.key
        group by t.ctid having count(*) filter (where c.v < w.v) > 0
    ), emptied as (
        delete from charle.touched t using thinner x where t.ctid = x.at and x.keys is null returning x.gone
    ), rewritten as (
        update charle.touched t set keys = x.keys from thinner x where t.ctid = x.at and x.keys is not null returning x.gone
    )
    select coalesce(sum(g.gone), 0) into n from (select gone from emptied union all select gone from rewritten) g;
    total := total + n;
    -- Rows that arm a raise have done so when they can be seen here; what no stamp refers to is below a floor.
    delete from charle.touched t
        where t.scope = '' or not exists (select from charle.change c where c.txn = t.txn and c.scope = t.scope);
    get diagnostics n = row_count;
    return total + n;
end $$;

-- All three in one transaction, by hand and when nobody writes. Returns the number of entries removed.
create or replace function charle.compact(a_keep interval default interval '400 days') returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform charle.note_heads();
    while charle.forget(a_keep, 1000) > 0 loop
    end loop;
    return charle.thin();
end $$;

-- What an operator should know about this database before trusting it with acknowledged writes; no rows: all is well.
create or replace function charle.warnings() returns setof text language sql stable set search_path = pg_catalog, pg_temp as $$
    select 'fsync is off: a crash of the machine can lose or damage acknowledged writes; set fsync = on'
        where current_setting('fsync') = 'off'
    union all
    select 'full_page_writes is off: a crash of the machine can damage the database; set full_page_writes = on'
        where current_setting('full_page_writes') = 'off'
$$;

-- Writers of any role reach the functions above through triggers only.
revoke all on all functions in schema charle from public;
