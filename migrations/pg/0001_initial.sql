-- schema charleos e81e97a3eaee7eae
create table "verification" (
    "id" text collate "C" not null,
    "identifier" text collate "C" not null,
    "value" text collate "C" not null,
    "expires_at" timestamptz not null,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "verification_pkey" primary key ("id")
);
comment on table "verification" is 'Short-lived values of sign-in flows of team members. Never leaves the server.';
create table "tshirt_size" (
    "size" text collate "C" not null,
    "min_minutes" integer not null,
    "avg_minutes" integer not null,
    "max_minutes" integer not null,
    "label" text collate "C" not null,
    "valid_from" date not null,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "tshirt_size_pkey" primary key ("size"),
    constraint "tshirt_size_size_enum" check ("size" in ('XS', 'S', 'M', 'L', 'XL', 'XXL', 'not_required')),
    constraint "valid_from_6_years_1_to_9999" check ("valid_from" between date '0001-01-01' and date '9999-12-31' or not isfinite("valid_from")),
    constraint "row_3_mib" check (coalesce(octet_length("label"), 0) <= 3145728),
    constraint "tshirt_size_order" check (min_minutes >= 0 and min_minutes <= avg_minutes and avg_minutes <= max_minutes)
) with (fillfactor = 90);
comment on table "tshirt_size" is 'What a size means in minutes. Copied onto requirements, so that a change never rewrites history.';
create table "plan" (
    "id" text collate "C" not null,
    "name" text collate "C" not null,
    "monthly_minutes" integer not null,
    "monthly_cost_pence" integer not null,
    "pm_deduction_bps" integer not null default 1500,
    "is_custom" boolean not null default false,
    "is_active" boolean not null default true,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "plan_pkey" primary key ("id"),
    constraint "plan_name_key" unique ("name"),
    constraint "plan_name_length" check (char_length("name") <= 100),
    constraint "plan_monthly_minutes_check" check (monthly_minutes >= 0),
    constraint "plan_monthly_cost_pence_check" check (monthly_cost_pence >= 0),
    constraint "plan_pm_deduction_bps_check" check (pm_deduction_bps between 0 and 10000),
    constraint "key_not_empty" check ("id" <> '')
) with (fillfactor = 90);
comment on table "plan" is 'Retainers on sale: hours and cost a month. The sold day rate is computed, not stored.';
comment on column "plan"."monthly_cost_pence" is 'Money.';
comment on column "plan"."pm_deduction_bps" is 'Share of the hours kept for project management.';
create table "bank_holiday" (
    "date" date not null,
    "name" text collate "C" not null,
    "region" text collate "C" not null default 'england-and-wales',
    constraint "bank_holiday_pkey" primary key ("date"),
    constraint "date_1_years_1_to_9999" check ("date" between date '0001-01-01' and date '9999-12-31' or not isfinite("date")),
    constraint "row_3_mib" check (coalesce(octet_length("name"), 0) +
        coalesce(octet_length("region"), 0) <= 3145728)
) with (fillfactor = 90);
comment on table "bank_holiday" is 'Days on which nobody works.';
create table "user" (
    "id" text collate "C" not null,
    "name" text collate "C" not null,
    "email" text collate "C" not null,
    "email_verified" boolean not null default false,
    "image" text collate "C",
    "job_title" text collate "C",
    "status" text collate "C" not null default 'pending',
    "work_type" text collate "C",
    "access_level" text collate "C" not null default 'staff',
    "has_billable_capacity" boolean not null default true,
    "has_executive_access" boolean not null default false,
    "engagement_type" text collate "C",
    "department_id" text collate "C",
    "reports_to_id" text collate "C",
    "slack_user_id" text collate "C",
    "birthday" text collate "C",
    "join_date" timestamptz,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "user_pkey" primary key ("id"),
    constraint "user_email_key" unique ("email"),
    constraint "user_name_length" check (char_length("name") <= 200),
    constraint "user_email_length" check (char_length("email") <= 254),
    constraint "user_email_form" check (email = lower(email) and email like '_%@_%'),
    constraint "user_status_enum" check ("status" in ('pending', 'sent', 'active', 'deactivated')),
    constraint "user_work_type_enum" check ("work_type" in ('development', 'design', 'pm', 'csm', 'qa', 'sdr')),
    constraint "user_access_level_enum" check ("access_level" in ('admin', 'manager', 'staff')),
    constraint "user_engagement_type_enum" check ("engagement_type" in ('retainer', 'project')),
    constraint "user_birthday_form" check (birthday is null or birthday ~ '^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("image"), 0) +
        coalesce(octet_length("job_title"), 0) +
        coalesce(octet_length("slack_user_id"), 0) +
        coalesce(octet_length("birthday"), 0) <= 3145728),
    constraint "user_reports_to_other" check (reports_to_id is null or reports_to_id <> id)
) with (fillfactor = 90);
comment on table "user" is 'Team members. Invited, never self-registered; deactivated people keep their history and lose every scope.';
comment on column "user"."email" is 'Lower case; the company''s domain is asked for when a person is invited.';
comment on column "user"."image" is 'Address of the avatar, copied to object storage at each sign-in.';
comment on column "user"."work_type" is 'What the person does; null until an administrator sets it.';
comment on column "user"."access_level" is 'Beats work_type: a developer who is a manager has a manager''s view.';
comment on column "user"."has_billable_capacity" is 'Counted in utilisation.';
comment on column "user"."has_executive_access" is 'May see money.';
comment on column "user"."engagement_type" is 'Delivery people only.';
comment on column "user"."reports_to_id" is 'Line manager.';
comment on column "user"."birthday" is 'MM-DD; the year is not kept.';
comment on column "user"."join_date" is 'Start of employment.';
create table "session" (
    "id" text collate "C" not null,
    "user_id" text collate "C" not null,
    "token" text collate "C" not null,
    "expires_at" timestamptz not null,
    "ip_address" text collate "C",
    "user_agent" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "session_pkey" primary key ("id"),
    constraint "session_token_key" unique ("token")
);
comment on table "session" is 'Signed-in sessions of team members: seven days, renewed after one. Never leaves the server.';
comment on column "session"."token" is 'Hash of the token; the token itself is not kept.';
create table "account" (
    "id" text collate "C" not null,
    "user_id" text collate "C" not null,
    "provider_id" text collate "C" not null,
    "account_id" text collate "C" not null,
    "access_token" text collate "C",
    "refresh_token" text collate "C",
    "id_token" text collate "C",
    "access_token_expires_at" timestamptz,
    "refresh_token_expires_at" timestamptz,
    "scope" text collate "C",
    "password" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "account_pkey" primary key ("id"),
    constraint "account_provider_id_account_id_key" unique ("provider_id", "account_id")
);
comment on table "account" is 'Links of team members to a sign-in provider. Secrets: never leaves the server.';
comment on column "account"."password" is 'Unused for team members.';
create table "user_preference" (
    "user_id" text collate "C" not null,
    "key" text collate "C" not null,
    "value" text collate "C" not null,
    "updated_at" timestamptz not null default now(),
    constraint "user_preference_pkey" primary key ("user_id", "key"),
    constraint "user_preference_key_length" check (char_length("key") <= 100),
    constraint "user_preference_value_length" check (char_length("value") <= 10000)
) with (fillfactor = 90);
comment on table "user_preference" is 'A person''s settings by key: sidebarCollapsed, notify.<type>.<channel>, timer.active.';
comment on column "user_preference"."value" is 'JSON as text.';
create table "department" (
    "id" text collate "C" not null,
    "name" text collate "C" not null,
    "lead_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "department_pkey" primary key ("id"),
    constraint "department_name_key" unique ("name"),
    constraint "department_name_length" check (char_length("name") <= 100),
    constraint "key_not_empty" check ("id" <> '')
) with (fillfactor = 90);
comment on table "department" is 'Departments of the agency.';
create table "client" (
    "id" text collate "C" not null,
    "name" text collate "C" not null,
    "slug" text collate "C" not null,
    "csm_id" text collate "C",
    "plan_id" text collate "C",
    "status" text collate "C" not null default 'active',
    "start_date" date,
    "notes" text collate "C",
    "hours_override_minutes" integer,
    "cost_override_pence" integer,
    "rag_status" text collate "C" not null default 'green',
    "rag_note" text collate "C",
    "slack_channel_id" text collate "C",
    "pm_id" text collate "C",
    "archived_at" timestamptz,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_pkey" primary key ("id"),
    constraint "client_slug_key" unique ("slug"),
    constraint "client_name_length" check (char_length("name") <= 200),
    constraint "client_slug_length" check (char_length("slug") <= 100),
    constraint "client_slug_form" check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    constraint "client_status_enum" check ("status" in ('active', 'archived')),
    constraint "start_date_7_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "client_hours_override_minutes_check" check (hours_override_minutes >= 0),
    constraint "client_cost_override_pence_check" check (cost_override_pence >= 0),
    constraint "client_rag_status_enum" check ("rag_status" in ('red', 'amber', 'green')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("notes"), 0) +
        coalesce(octet_length("rag_note"), 0) +
        coalesce(octet_length("slack_channel_id"), 0) <= 3145728)
) with (fillfactor = 90);
comment on table "client" is 'Client companies. With a plan a client is a retainer, without one it has projects only.';
comment on column "client"."slug" is 'The name in addresses of pages.';
comment on column "client"."csm_id" is 'Customer success manager; decides who holds the scope account:<id>.';
comment on column "client"."plan_id" is 'Null: projects only.';
comment on column "client"."start_date" is 'Start of the business relation.';
comment on column "client"."notes" is 'For the team only.';
comment on column "client"."hours_override_minutes" is 'Monthly minutes instead of the plan''s.';
comment on column "client"."cost_override_pence" is 'Money: monthly cost instead of the plan''s.';
comment on column "client"."pm_id" is 'Project manager of new tasks.';
create table "client_user" (
    "id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "name" text collate "C" not null,
    "email" text collate "C" not null,
    "email_verified" boolean not null default false,
    "image" text collate "C",
    "status" text collate "C" not null default 'invited',
    "invited_by_id" text collate "C",
    "invited_at" timestamptz,
    "last_seen_at" timestamptz,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_user_pkey" primary key ("id"),
    constraint "client_user_email_key" unique ("email"),
    constraint "client_user_name_length" check (char_length("name") <= 200),
    constraint "client_user_email_length" check (char_length("email") <= 254),
    constraint "client_user_email_form" check (email = lower(email) and email like '_%@_%'),
    constraint "client_user_status_enum" check ("status" in ('invited', 'active', 'deactivated')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("image"), 0) <= 3145728)
) with (fillfactor = 90);
comment on table "client_user" is 'Portal people of a client company: another population than the team, seeing one company only.';
create table "client_session" (
    "id" text collate "C" not null,
    "client_user_id" text collate "C" not null,
    "token" text collate "C" not null,
    "expires_at" timestamptz not null,
    "ip_address" text collate "C",
    "user_agent" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_session_pkey" primary key ("id"),
    constraint "client_session_token_key" unique ("token")
);
comment on table "client_session" is 'Signed-in sessions of portal people. Never leaves the server.';
comment on column "client_session"."token" is 'Hash of the token; the token itself is not kept.';
create table "client_account" (
    "id" text collate "C" not null,
    "client_user_id" text collate "C" not null,
    "provider_id" text collate "C" not null,
    "account_id" text collate "C" not null,
    "access_token" text collate "C",
    "refresh_token" text collate "C",
    "id_token" text collate "C",
    "access_token_expires_at" timestamptz,
    "refresh_token_expires_at" timestamptz,
    "scope" text collate "C",
    "password" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_account_pkey" primary key ("id"),
    constraint "client_account_provider_id_account_id_key" unique ("provider_id", "account_id")
);
comment on table "client_account" is 'Credentials of portal people. Never leaves the server.';
comment on column "client_account"."password" is 'A hash.';
create table "client_verification" (
    "id" text collate "C" not null,
    "identifier" text collate "C" not null,
    "value" text collate "C" not null,
    "expires_at" timestamptz not null,
    "client_user_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_verification_pkey" primary key ("id")
);
comment on table "client_verification" is 'Invitations and password resets of portal people. Never leaves the server.';
create table "client_user_preference" (
    "client_user_id" text collate "C" not null,
    "key" text collate "C" not null,
    "value" text collate "C" not null,
    "updated_at" timestamptz not null default now(),
    constraint "client_user_preference_pkey" primary key ("client_user_id", "key"),
    constraint "client_user_preference_key_length" check (char_length("key") <= 100),
    constraint "client_user_preference_value_length" check (char_length("value") <= 10000)
) with (fillfactor = 90);
comment on table "client_user_preference" is 'A portal person''s settings by key.';
comment on column "client_user_preference"."value" is 'JSON as text.';
create sequence "project_display_id_seq" as integer;
create table "project" (
    "id" text collate "C" not null,
    "display_id" integer not null default nextval('"project_display_id_seq"'),
    "title" text collate "C" not null,
    "client_id" text collate "C" not null,
    "pm_id" text collate "C",
    "pm_allocated_days" numeric,
    "target_completion_date" date,
    "status" text collate "C" not null default 'active',
    "progress_bps" integer not null default 0,
    "description" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "project_pkey" primary key ("id"),
    constraint "project_display_id_key" unique ("display_id"),
    constraint "project_title_length" check (char_length("title") <= 200),
    constraint "pm_allocated_days_6_1000_digits" check (length("pm_allocated_days"::text) <= 1000),
    constraint "project_pm_allocated_days_check" check (pm_allocated_days >= 0),
    constraint "target_completion_date_7_years_1_to_9999" check ("target_completion_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("target_completion_date")),
    constraint "project_status_enum" check ("status" in ('active', 'on_hold', 'completed', 'archived')),
    constraint "project_progress_bps_check" check (progress_bps between 0 and 10000),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("description"), 0) <= 3145728)
) with (fillfactor = 90);
alter sequence "project_display_id_seq" owned by "project"."display_id";
comment on table "project" is 'Work that is sold as a whole, in phases, beside or instead of a retainer.';
comment on column "project"."pm_allocated_days" is 'Days sold for project management.';
comment on column "project"."progress_bps" is 'Done tasks of all tasks.';
create table "project_phase" (
    "id" text collate "C" not null,
    "project_id" text collate "C" not null,
    "name" text collate "C" not null,
    "kind" text collate "C" not null,
    "is_budgeted" boolean not null default false,
    "allocated_days" numeric,
    "qa_days" numeric,
    "position" integer not null default 1000,
    "logged_minutes" integer not null default 0,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "project_phase_pkey" primary key ("id"),
    constraint "project_phase_name_length" check (char_length("name") <= 200),
    constraint "project_phase_kind_enum" check ("kind" in ('design', 'development', 'custom')),
    constraint "allocated_days_6_1000_digits" check (length("allocated_days"::text) <= 1000),
    constraint "project_phase_allocated_days_check" check (allocated_days >= 0),
    constraint "qa_days_7_1000_digits" check (length("qa_days"::text) <= 1000),
    constraint "project_phase_qa_days_check" check (qa_days >= 0),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "project_phase_budget_iff_budgeted" check (is_budgeted = (allocated_days is not null)),
    constraint "project_phase_qa_needs_budget" check (is_budgeted or qa_days is null)
) with (fillfactor = 90);
comment on table "project_phase" is 'A phase of a project with its pool of days; a day is 450 minutes.';
comment on column "project_phase"."qa_days" is 'A pool of its own, drawn by tasks with is_qa.';
comment on column "project_phase"."position" is 'Manual order, sparse; ties by id.';
create table "project_task" (
    "id" text collate "C" not null,
    "project_id" text collate "C" not null,
    "phase_id" text collate "C" not null,
    "title" text collate "C" not null,
    "description" text collate "C",
    "assignee_id" text collate "C",
    "status" text collate "C" not null default 'todo',
    "start_date" date,
    "end_date" date,
    "estimate_minutes" integer,
    "is_qa" boolean not null default false,
    "logged_minutes" integer not null default 0,
    "position" integer not null default 1000,
    "requires_uat" boolean not null default false,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "project_task_pkey" primary key ("id"),
    constraint "project_task_title_length" check (char_length("title") <= 200),
    constraint "project_task_status_enum" check ("status" in ('todo', 'in_progress', 'in_review', 'uat', 'done')),
    constraint "start_date_8_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "end_date_9_years_1_to_9999" check ("end_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("end_date")),
    constraint "project_task_estimate_minutes_check" check (estimate_minutes >= 0),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("description"), 0) <= 3145728),
    constraint "project_task_dates" check (end_date >= start_date)
) with (fillfactor = 90);
comment on table "project_task" is 'A task inside a project''s phase. Shown on calendars, never taking daily capacity.';
comment on column "project_task"."is_qa" is 'Draws on the phase''s QA days.';
comment on column "project_task"."position" is 'Manual order, sparse; ties by id.';
comment on column "project_task"."requires_uat" is 'Needs a sign-off by the client.';
create table "project_sign_off" (
    "id" text collate "C" not null,
    "project_id" text collate "C" not null,
    "phase_id" text collate "C",
    "project_task_id" text collate "C",
    "status" text collate "C" not null default 'requested',
    "requested_by_id" text collate "C" not null,
    "requested_at" timestamptz not null default now(),
    "decided_by_client_user_id" text collate "C",
    "decided_at" timestamptz,
    "note" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "project_sign_off_pkey" primary key ("id"),
    constraint "project_sign_off_status_enum" check ("status" in ('requested', 'approved', 'rejected')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("note"), 0) <= 3145728),
    constraint "project_sign_off_decided" check ((status = 'requested') = (decided_at is null) and (decided_at is null) = (decided_by_client_user_id is null))
) with (fillfactor = 90);
comment on table "project_sign_off" is 'Acceptance by the client of a project, a phase or a task. A new round is a new row.';
create table "comment" (
    "id" text collate "C" not null,
    "subject_type" text collate "C" not null,
    "subject_id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "visibility" text collate "C" not null default 'internal',
    "author_user_id" text collate "C",
    "author_client_user_id" text collate "C",
    "body" text collate "C" not null,
    "parent_comment_id" text collate "C",
    "mentions" text[] collate "C" not null default '{}',
    "edited_at" timestamptz,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "comment_pkey" primary key ("id"),
    constraint "comment_subject_type_enum" check ("subject_type" in ('quote', 'task', 'subtask', 'project', 'project_task', 'help_desk_ticket')),
    constraint "comment_visibility_enum" check ("visibility" in ('internal', 'client')),
    constraint "comment_body_length" check (char_length("body") <= 20000),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("subject_id"), 0) +
        coalesce(octet_length("mentions"::text), 0) <= 3145728),
    constraint "comment_one_author" check ((author_user_id is null) <> (author_client_user_id is null)),
    constraint "comment_portal_is_client_visible" check (author_client_user_id is null or visibility = 'client')
) with (fillfactor = 90);
comment on table "comment" is 'What people say about a quote, task, subtask, project, project task or ticket; seen by those who see its subject.';
comment on column "comment"."client_id" is 'The subject''s client, repeated here because it decides who sees the row.';
comment on column "comment"."visibility" is 'May be opened to the client, never closed again.';
comment on column "comment"."body" is 'Rich text, changed by its author only.';
comment on column "comment"."mentions" is 'Ids of people.';
create table "attachment" (
    "id" text collate "C" not null,
    "subject_type" text collate "C" not null,
    "subject_id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "visibility" text collate "C" not null default 'internal',
    "file_name" text collate "C" not null,
    "content_type" text collate "C" not null,
    "size_bytes" bigint not null,
    "storage_key" text collate "C" not null,
    "sha256" text collate "C" not null,
    "uploaded_by_user_id" text collate "C",
    "uploaded_by_client_user_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    "content" text collate "C",
    constraint "attachment_pkey" primary key ("id"),
    constraint "attachment_subject_type_enum" check ("subject_type" in ('quote', 'task', 'subtask', 'project', 'project_task', 'help_desk_ticket')),
    constraint "attachment_visibility_enum" check ("visibility" in ('internal', 'client')),
    constraint "attachment_file_name_length" check (char_length("file_name") <= 255),
    constraint "attachment_content_type_length" check (char_length("content_type") <= 255),
    constraint "attachment_size_bytes_check" check (size_bytes >= 0),
    constraint "attachment_sha256_form" check (length(sha256) = 64),
    constraint "attachment_content_form" check ("content" ~ '^[0-9a-f]{64}$'),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("subject_id"), 0) +
        coalesce(octet_length("storage_key"), 0) +
        coalesce(octet_length("sha256"), 0) <= 3145728),
    constraint "attachment_one_uploader" check ((uploaded_by_user_id is null) <> (uploaded_by_client_user_id is null)),
    constraint "attachment_portal_is_client_visible" check (uploaded_by_client_user_id is null or visibility = 'client')
) with (fillfactor = 90);
comment on table "attachment" is 'Files. The row travels; the bytes lie in an object store and are fetched when asked for.';
comment on column "attachment"."storage_key" is 'Where the bytes lie; signed addresses are made by the server.';
comment on column "attachment"."sha256" is 'Of the bytes, in hex.';
comment on column "attachment"."content" is 'The bytes, when they lie in this database.';
create table "block" (
    "id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "month" text collate "C" not null,
    "type" text collate "C" not null,
    "round" integer not null default 1,
    "allocated_minutes" integer,
    "assignee_id" text collate "C",
    "start_date" date,
    "end_date" date,
    "status" text collate "C" not null default 'not_scheduled',
    "overlap_confirmed_by_id" text collate "C",
    "overlap_confirmed_at" timestamptz,
    "created_by_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "block_pkey" primary key ("id"),
    constraint "block_client_id_month_type_round_key" unique ("client_id", "month", "type", "round"),
    constraint "block_month_form" check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint "block_type_enum" check ("type" in ('design', 'development', 'deployment', 'internal_qa_review', 'internal_qa_fixes', 'external_qa_fixes')),
    constraint "block_round_check" check (round >= 1),
    constraint "block_allocated_minutes_check" check (allocated_minutes >= 0),
    constraint "start_date_8_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "end_date_9_years_1_to_9999" check ("end_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("end_date")),
    constraint "block_status_enum" check ("status" in ('not_scheduled', 'scheduled', 'in_progress', 'completed', 'late')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("month"), 0) <= 3145728),
    constraint "block_core_once" check (round = 1 or type not in ('design', 'development', 'deployment')),
    constraint "block_start_in_month" check (start_date is null or month = lpad(extract(year from start_date)::text, 4, '0') || '-' || lpad(extract(month from start_date)::text, 2, '0')),
    constraint "block_dates" check (end_date >= start_date)
) with (fillfactor = 90);
comment on table "block" is 'A stretch of a month reserved for one client''s work. Design, development and deployment once a month; QA in rounds.';
comment on column "block"."month" is 'YYYY-MM.';
comment on column "block"."end_date" is 'May lie behind the month.';
create table "capacity_rule" (
    "id" text collate "C" not null,
    "scope" text collate "C" not null,
    "role_key" text collate "C",
    "user_id" text collate "C",
    "daily_minutes" integer not null,
    "effective_from" date not null,
    "effective_to" date,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "capacity_rule_pkey" primary key ("id"),
    constraint "capacity_rule_scope_enum" check ("scope" in ('role', 'user')),
    constraint "capacity_rule_role_key_enum" check ("role_key" in ('developer', 'designer', 'qa', 'pm_csm', 'manager', 'leadership')),
    constraint "capacity_rule_daily_minutes_check" check (daily_minutes between 0 and 600),
    constraint "effective_from_6_years_1_to_9999" check ("effective_from" between date '0001-01-01' and date '9999-12-31' or not isfinite("effective_from")),
    constraint "effective_to_7_years_1_to_9999" check ("effective_to" between date '0001-01-01' and date '9999-12-31' or not isfinite("effective_to")),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "capacity_rule_scope" check ((scope = 'role') = (role_key is not null) and (scope = 'user') = (user_id is not null)),
    constraint "capacity_rule_range" check (effective_to >= effective_from)
) with (fillfactor = 90);
comment on table "capacity_rule" is 'Minutes a day by role or by person. A person''s rule beats the role''s, the role''s beats 390.';
create table "client_plan_change" (
    "id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "kind" text collate "C" not null,
    "from_plan_id" text collate "C",
    "to_plan_id" text collate "C",
    "hours_override_minutes" integer,
    "cost_override_pence" integer,
    "effective_month" text collate "C" not null,
    "mrr_delta_pence" integer not null,
    "changed_by_id" text collate "C",
    "note" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_plan_change_pkey" primary key ("id"),
    constraint "client_plan_change_kind_enum" check ("kind" in ('start', 'upgrade', 'downgrade', 'override', 'churn')),
    constraint "client_plan_change_hours_override_minutes_check" check (hours_override_minutes >= 0),
    constraint "client_plan_change_cost_override_pence_check" check (cost_override_pence >= 0),
    constraint "client_plan_change_month_form" check (effective_month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("effective_month"), 0) +
        coalesce(octet_length("note"), 0) <= 3145728)
) with (fillfactor = 90);
comment on table "client_plan_change" is 'History of a client''s plan and overrides; feeds the figures of growth and churn.';
comment on column "client_plan_change"."cost_override_pence" is 'Money.';
comment on column "client_plan_change"."mrr_delta_pence" is 'Money: change of the monthly income, signed.';
create table "client_period" (
    "id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "month" text collate "C" not null,
    "plan_id" text collate "C",
    "monthly_cost_pence" integer not null,
    "gross_minutes" integer not null,
    "pm_deduction_minutes" integer not null,
    "allocated_minutes" integer not null,
    "rollover_in_minutes" integer not null default 0,
    "logged_minutes" integer not null default 0,
    "billable_minutes" integer not null default 0,
    "remaining_minutes" integer not null,
    "banked_minutes" integer not null default 0,
    "overage_minutes" integer not null default 0,
    "help_desk_minutes" integer not null default 0,
    "status" text collate "C" not null default 'open',
    "closed_at" timestamptz,
    "closed_by_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "client_period_pkey" primary key ("id"),
    constraint "client_period_client_id_month_key" unique ("client_id", "month"),
    constraint "client_period_month_form" check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint "client_period_monthly_cost_pence_check" check (monthly_cost_pence >= 0),
    constraint "client_period_gross_minutes_check" check (gross_minutes >= 0),
    constraint "client_period_pm_deduction_minutes_check" check (pm_deduction_minutes >= 0),
    constraint "client_period_status_enum" check ("status" in ('open', 'closed')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("month"), 0) <= 3145728),
    constraint "client_period_allocation" check (allocated_minutes = gross_minutes - pm_deduction_minutes),
    constraint "client_period_closed" check ((status = 'closed') = (closed_at is not null))
) with (fillfactor = 90);
comment on table "client_period" is 'A client''s calendar month: what was sold, logged, billed and is left. Computed while open, frozen when closed.';
comment on column "client_period"."plan_id" is 'As it was when the month began.';
comment on column "client_period"."monthly_cost_pence" is 'Money.';
comment on column "client_period"."gross_minutes" is 'Of the plan, or the client''s override.';
comment on column "client_period"."rollover_in_minutes" is 'Signed: what the month before left.';
comment on column "client_period"."remaining_minutes" is 'Allocated plus adjustments less billable; below zero is over.';
create table "period_adjustment" (
    "id" text collate "C" not null,
    "client_period_id" text collate "C" not null,
    "kind" text collate "C" not null,
    "minutes" integer not null,
    "source_period_id" text collate "C",
    "reason" text collate "C",
    "created_by_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "period_adjustment_pkey" primary key ("id"),
    constraint "period_adjustment_kind_enum" check ("kind" in ('rollover_in', 'manual_credit', 'manual_debit', 'correction')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("reason"), 0) <= 3145728),
    constraint "period_adjustment_rollover_source" check (kind <> 'rollover_in' or source_period_id is not null)
) with (fillfactor = 90);
comment on table "period_adjustment" is 'Minutes added to or taken from a month. Undone by the opposite row.';
comment on column "period_adjustment"."minutes" is 'Signed.';
create table "client_metric" (
    "client_id" text collate "C" not null,
    "month" text collate "C" not null,
    "sold_day_rate_pence" integer,
    "actual_day_rate_pence" integer,
    "variance_bps" integer,
    "efficiency_bps" integer,
    "banked_minutes" integer not null default 0,
    "overage_minutes" integer not null default 0,
    "net_minutes" integer not null default 0,
    "usage_bps" integer,
    "schedule_health_bps" integer,
    "day_rate_band" text collate "C",
    "computed_at" timestamptz not null default now(),
    constraint "client_metric_pkey" primary key ("client_id", "month"),
    constraint "client_metric_month_form" check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint "client_metric_day_rate_band_enum" check ("day_rate_band" in ('amazing', 'goal', 'under_target', 'below_breakeven'))
) with (fillfactor = 90);
comment on table "client_metric" is 'Figures of a client''s month. Money.';
comment on column "client_metric"."sold_day_rate_pence" is 'Monthly cost by monthly days of 450 minutes.';
comment on column "client_metric"."actual_day_rate_pence" is 'The billed share of the cost by the days that were logged.';
comment on column "client_metric"."efficiency_bps" is 'Quoted by actual.';
comment on column "client_metric"."net_minutes" is 'Banked less overage.';
comment on column "client_metric"."usage_bps" is 'Billable by allocated.';
create table "user_metric" (
    "user_id" text collate "C" not null,
    "month" text collate "C" not null,
    "working_days" integer not null,
    "leave_half_days" integer not null,
    "available_minutes" integer not null,
    "logged_minutes" integer not null,
    "billable_minutes" integer not null,
    "utilisation_bps" integer,
    "efficiency_bps" integer,
    "day_rate_pence" integer,
    "delivery_bps" integer,
    "schedule_health_bps" integer,
    "computed_at" timestamptz not null default now(),
    constraint "user_metric_pkey" primary key ("user_id", "month"),
    constraint "user_metric_month_form" check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint "user_metric_available_minutes_check" check (available_minutes >= 0),
    constraint "user_metric_logged_minutes_check" check (logged_minutes >= 0),
    constraint "user_metric_billable_minutes_check" check (billable_minutes >= 0)
) with (fillfactor = 90);
comment on table "user_metric" is 'Figures of a person''s month.';
comment on column "user_metric"."utilisation_bps" is 'Billable by available; null when nothing was available.';
comment on column "user_metric"."day_rate_pence" is 'Money: shown to the person and to managers.';
create table "client_score" (
    "client_id" text collate "C" not null,
    "kind" text collate "C" not null,
    "score_milli" integer not null,
    "sample_size" integer not null,
    "confidence" text collate "C" not null,
    "first_pass_bps" integer,
    "avg_cycles_milli" integer,
    "computed_at" timestamptz not null default now(),
    constraint "client_score_pkey" primary key ("client_id", "kind"),
    constraint "client_score_kind_enum" check ("kind" in ('development', 'design', 'help_desk', 'qa')),
    constraint "client_score_score_milli_check" check (score_milli >= 0),
    constraint "client_score_sample_size_check" check (sample_size >= 0),
    constraint "client_score_confidence_enum" check ("confidence" in ('low', 'medium', 'high')),
    constraint "client_score_first_pass_bps_check" check (first_pass_bps between 0 and 10000),
    constraint "client_score_avg_cycles_milli_check" check (avg_cycles_milli >= 0)
) with (fillfactor = 90);
comment on table "client_score" is 'How much longer than quoted a client''s work takes: 1000 is on target, 1150 is 15 % slower.';
comment on column "client_score"."confidence" is 'Low under 5 samples, high from 16.';
comment on column "client_score"."first_pass_bps" is 'QA only.';
comment on column "client_score"."avg_cycles_milli" is 'QA only.';
create table "leave_request" (
    "id" text collate "C" not null,
    "user_id" text collate "C" not null,
    "type" text collate "C" not null,
    "day_type" text collate "C" not null default 'full_day',
    "start_date" date not null,
    "end_date" date not null,
    "half_days" integer not null,
    "status" text collate "C" not null default 'pending',
    "reason" text collate "C",
    "created_by_id" text collate "C" not null,
    "decided_by_id" text collate "C",
    "decided_at" timestamptz,
    "decision_note" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "leave_request_pkey" primary key ("id"),
    constraint "leave_request_type_enum" check ("type" in ('annual', 'birthday', 'unpaid', 'sick', 'compassionate')),
    constraint "leave_request_day_type_enum" check ("day_type" in ('full_day', 'half_day_am', 'half_day_pm')),
    constraint "start_date_5_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "end_date_6_years_1_to_9999" check ("end_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("end_date")),
    constraint "leave_request_half_days_check" check (half_days >= 0),
    constraint "leave_request_status_enum" check ("status" in ('pending', 'approved', 'declined', 'cancelled')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("reason"), 0) +
        coalesce(octet_length("decision_note"), 0) <= 3145728),
    constraint "leave_request_dates" check (end_date >= start_date),
    constraint "leave_request_half_is_one_day" check (day_type = 'full_day' or end_date = start_date),
    constraint "leave_request_not_own_decision" check (decided_by_id is null or decided_by_id <> user_id)
) with (fillfactor = 90);
comment on table "leave_request" is 'Leave of a person. Others see only that someone is away; the reason is for the person and the line manager.';
comment on column "leave_request"."half_days" is 'Working days only, in halves; counted by the server.';
comment on column "leave_request"."reason" is 'Sensitive.';
comment on column "leave_request"."created_by_id" is 'Another person when a manager files it.';
create table "leave_balance" (
    "user_id" text collate "C" not null,
    "year" integer not null,
    "entitlement_half_days" integer not null,
    "carried_half_days" integer not null default 0,
    "used_half_days" integer not null default 0,
    "pending_half_days" integer not null default 0,
    "birthday_used" boolean not null default false,
    "updated_at" timestamptz not null default now(),
    constraint "leave_balance_pkey" primary key ("user_id", "year"),
    constraint "leave_balance_year_check" check (year between 2000 and 2200),
    constraint "leave_balance_entitlement_half_days_check" check (entitlement_half_days >= 0),
    constraint "leave_balance_used_half_days_check" check (used_half_days >= 0),
    constraint "leave_balance_pending_half_days_check" check (pending_half_days >= 0)
) with (fillfactor = 90);
comment on table "leave_balance" is 'A person''s leave of a year in half days. Left: entitlement plus carried less used.';
create table "notification" (
    "id" text collate "C" not null,
    "recipient_user_id" text collate "C",
    "recipient_client_user_id" text collate "C",
    "type" text collate "C" not null,
    "title" text collate "C" not null,
    "body" text collate "C",
    "subject_type" text collate "C",
    "subject_id" text collate "C",
    "url" text collate "C",
    "actor_user_id" text collate "C",
    "emailed_at" timestamptz,
    "slacked_at" timestamptz,
    "read_at" timestamptz,
    "archived_at" timestamptz,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "notification_pkey" primary key ("id"),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("type"), 0) +
        coalesce(octet_length("title"), 0) +
        coalesce(octet_length("body"), 0) +
        coalesce(octet_length("subject_type"), 0) +
        coalesce(octet_length("subject_id"), 0) +
        coalesce(octet_length("url"), 0) <= 3145728),
    constraint "notification_one_recipient" check ((recipient_user_id is null) <> (recipient_client_user_id is null))
) with (fillfactor = 90);
comment on table "notification" is 'Messages of the system to one person. Made by the server; a laptop may say that they were read.';
create table "activity_log" (
    "id" text collate "C" not null,
    "at" timestamptz not null default now(),
    "actor_user_id" text collate "C",
    "actor_client_user_id" text collate "C",
    "verb" text collate "C" not null,
    "subject_type" text collate "C" not null,
    "subject_id" text collate "C" not null,
    "client_id" text collate "C",
    "before" jsonb,
    "after" jsonb,
    "device_id" text collate "C",
    "occurred_at" timestamptz not null default now(),
    "offline_queued_at" timestamptz,
    "client_visible" boolean not null default false,
    constraint "activity_log_pkey" primary key ("id"),
    constraint "activity_log_verb_length" check (char_length("verb") <= 100),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("subject_type"), 0) +
        coalesce(octet_length("subject_id"), 0) +
        coalesce(octet_length("before"::text), 0) +
        coalesce(octet_length("after"::text), 0) +
        coalesce(octet_length("device_id"), 0) <= 3145728),
    constraint "activity_log_one_actor" check (actor_user_id is null or actor_client_user_id is null)
) with (fillfactor = 90);
comment on table "activity_log" is 'What happened, written in the transaction that did it; never changed or deleted. No secrets, no reasons of leave.';
comment on column "activity_log"."at" is 'When the server did it.';
comment on column "activity_log"."actor_user_id" is 'Neither actor: the system.';
comment on column "activity_log"."subject_type" is 'Name of a table.';
comment on column "activity_log"."occurred_at" is 'When the person did it.';
comment on column "activity_log"."offline_queued_at" is 'When the call was queued, for calls made offline.';
create sequence "quote_display_id_seq" as integer;
create table "quote" (
    "id" text collate "C" not null,
    "display_id" integer not null default nextval('"quote_display_id_seq"'),
    "client_id" text collate "C" not null,
    "title" text collate "C" not null,
    "description" text collate "C" not null,
    "status" text collate "C" not null default 'awaiting_quote',
    "previous_status" text collate "C",
    "origin" text collate "C" not null,
    "created_by_user_id" text collate "C",
    "created_by_client_user_id" text collate "C",
    "csm_approved_by_id" text collate "C",
    "csm_approved_at" timestamptz,
    "client_decided_by_id" text collate "C",
    "client_decided_at" timestamptz,
    "cancelled_at" timestamptz,
    "cancel_reason" text collate "C",
    "task_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "quote_pkey" primary key ("id") with (deduplicate_items = off),
    constraint "quote_display_id_key" unique ("display_id") with (deduplicate_items = off),
    constraint "quote_task_id_key" unique ("task_id") with (deduplicate_items = off),
    constraint "quote_title_length" check (char_length("title") <= 200),
    constraint "quote_status_enum" check ("status" in ('awaiting_quote', 'in_progress', 'awaiting_csm_review', 'awaiting_client_approval', 'approved', 'cancelled')),
    constraint "quote_previous_status_enum" check ("previous_status" in ('awaiting_quote', 'in_progress', 'awaiting_csm_review', 'awaiting_client_approval', 'approved', 'cancelled')),
    constraint "quote_origin_enum" check ("origin" in ('internal', 'client_request')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("description"), 0) +
        coalesce(octet_length("cancel_reason"), 0) <= 3145728),
    constraint "quote_one_creator" check ((created_by_user_id is null) <> (created_by_client_user_id is null)),
    constraint "quote_task_needs_approval" check (task_id is null or status = 'approved'),
    constraint "quote_cancel_keeps_status" check (status <> 'cancelled' or previous_status is not null)
) with (fillfactor = 90);
alter sequence "quote_display_id_seq" owned by "quote"."display_id";
comment on table "quote" is 'What a client asks for, until it is estimated and approved; an approved quote becomes one task.';
comment on column "quote"."display_id" is 'Quote #n.';
comment on column "quote"."description" is 'Rich text.';
comment on column "quote"."previous_status" is 'Kept while cancelled, so that reopening can restore it.';
comment on column "quote"."task_id" is 'A quote is converted only once.';
create table "quote_requirement" (
    "id" text collate "C" not null,
    "quote_id" text collate "C" not null,
    "type" text collate "C" not null,
    "status" text collate "C" not null default 'pending',
    "goal" text collate "C" not null,
    "design_types" text[] collate "C",
    "target_audience" text collate "C",
    "has_brand_guidelines" boolean,
    "dev_work_type" text collate "C",
    "current_behavior" text collate "C",
    "expected_outcome" text collate "C",
    "technical_constraints" text collate "C",
    "links" text[] collate "C",
    "timeline" text collate "C",
    "scope" text collate "C",
    "scope_draft" text collate "C",
    "size" text collate "C",
    "min_minutes" integer,
    "avg_minutes" integer,
    "max_minutes" integer,
    "suggested_size" text collate "C",
    "suggestion_confidence" text collate "C",
    "suggestion_reasoning" text collate "C",
    "completed_by_id" text collate "C",
    "completed_at" timestamptz,
    "is_offered" boolean not null default false,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "quote_requirement_pkey" primary key ("id"),
    constraint "quote_requirement_quote_id_type_key" unique ("quote_id", "type"),
    constraint "quote_requirement_type_enum" check ("type" in ('design', 'development', 'seo', 'retainer')),
    constraint "quote_requirement_status_enum" check ("status" in ('pending', 'in_progress', 'complete')),
    constraint "quote_requirement_design_types_enum" check ("design_types" <@ array['ui_ux', 'visual_assets', 'brand_identity', 'marketing_materials', 'prototypes']::text[]),
    constraint "quote_requirement_dev_work_type_enum" check ("dev_work_type" in ('new_feature', 'enhancement', 'bug_fix', 'integration', 'performance_optimization', 'other')),
    constraint "quote_requirement_timeline_enum" check ("timeline" in ('flexible', 'within_2_weeks', 'within_1_week', 'urgent')),
    constraint "quote_requirement_size_enum" check ("size" in ('XS', 'S', 'M', 'L', 'XL', 'XXL', 'not_required')),
    constraint "quote_requirement_suggested_size_enum" check ("suggested_size" in ('XS', 'S', 'M', 'L', 'XL', 'XXL', 'not_required')),
    constraint "quote_requirement_suggestion_confidence_enum" check ("suggestion_confidence" in ('low', 'medium', 'high')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("goal"), 0) +
        coalesce(octet_length("design_types"::text), 0) +
        coalesce(octet_length("target_audience"), 0) +
        coalesce(octet_length("current_behavior"), 0) +
        coalesce(octet_length("expected_outcome"), 0) +
        coalesce(octet_length("technical_constraints"), 0) +
        coalesce(octet_length("links"::text), 0) +
        coalesce(octet_length("scope"), 0) +
        coalesce(octet_length("scope_draft"), 0) +
        coalesce(octet_length("suggestion_reasoning"), 0) <= 3145728),
    constraint "quote_requirement_design_brief" check (type <> 'design' or (goal <> '' and coalesce(cardinality(design_types), 0) > 0 and timeline is not null)),
    constraint "quote_requirement_development_brief" check (type <> 'development' or (goal <> '' and dev_work_type is not null and expected_outcome is not null and timeline is not null)),
    constraint "quote_requirement_complete_is_sized" check (status <> 'complete' or (scope is not null and size is not null)),
    constraint "quote_requirement_size_has_minutes" check (size is null or (min_minutes is not null and avg_minutes is not null and max_minutes is not null)),
    constraint "quote_requirement_minutes_order" check (min_minutes >= 0 and min_minutes <= avg_minutes and avg_minutes <= max_minutes)
) with (fillfactor = 90);
comment on table "quote_requirement" is 'One kind of work inside a quote: the brief, then scope and size.';
comment on column "quote_requirement"."scope" is 'Rich text: what will be done.';
comment on column "quote_requirement"."min_minutes" is 'Copied from tshirt_size when the size is set.';
comment on column "quote_requirement"."is_offered" is 'Set when the quote goes to the client: from then on the portal sees scope and size.';
create table "quote_requirement_assignee" (
    "quote_requirement_id" text collate "C" not null,
    "user_id" text collate "C" not null,
    "assigned_by_id" text collate "C",
    "assigned_at" timestamptz not null default now(),
    constraint "quote_requirement_assignee_pkey" primary key ("quote_requirement_id", "user_id")
) with (fillfactor = 90);
comment on table "quote_requirement_assignee" is 'Who estimates a requirement. A set: rows come and go, nothing in them changes.';
create sequence "task_display_id_seq" as integer;
create table "task" (
    "id" text collate "C" not null,
    "display_id" integer not null default nextval('"task_display_id_seq"'),
    "title" text collate "C" not null,
    "description" text collate "C",
    "client_id" text collate "C" not null,
    "pm_id" text collate "C",
    "priority" integer not null default 3,
    "status" text collate "C" not null default 'backlog',
    "quote_id" text collate "C",
    "project_id" text collate "C",
    "created_by_id" text collate "C",
    "completed_at" timestamptz,
    "cancelled_at" timestamptz,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "task_pkey" primary key ("id") with (deduplicate_items = off),
    constraint "task_display_id_key" unique ("display_id") with (deduplicate_items = off),
    constraint "task_quote_id_key" unique ("quote_id") with (deduplicate_items = off),
    constraint "task_title_length" check (char_length("title") <= 200),
    constraint "task_priority_check" check (priority between 1 and 5),
    constraint "task_status_enum" check ("status" in ('backlog', 'planned', 'design', 'development', 'internal_qa', 'external_qa', 'deployment', 'complete', 'cancelled')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("description"), 0) <= 3145728)
) with (fillfactor = 90);
alter sequence "task_display_id_seq" owned by "task"."display_id";
comment on table "task" is 'A piece of work for a client. Its status follows its subtasks.';
comment on column "task"."display_id" is 'Shown as #123.';
comment on column "task"."description" is 'Rich text.';
comment on column "task"."priority" is '1 is the highest. Not the priority of the calendar.';
comment on column "task"."status" is 'Follows the subtasks; cancelling and reopening are calls of TaskFlow.';
comment on column "task"."quote_id" is 'Null when made by hand.';
create table "task_requirement" (
    "id" text collate "C" not null,
    "task_id" text collate "C" not null,
    "quote_requirement_id" text collate "C",
    "type" text collate "C" not null,
    "scope" text collate "C",
    "brief" text collate "C",
    "size" text collate "C",
    "quoted_minutes" integer not null,
    "quoted_max_minutes" integer not null,
    "feedback_budget_minutes" integer not null,
    "actual_minutes" integer not null default 0,
    "billable_minutes" integer not null default 0,
    "banked_minutes" integer not null default 0,
    "overage_minutes" integer not null default 0,
    "status" text collate "C" not null default 'pending',
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "task_requirement_pkey" primary key ("id"),
    constraint "task_requirement_task_id_type_key" unique ("task_id", "type"),
    constraint "task_requirement_type_enum" check ("type" in ('design', 'development', 'seo', 'retainer')),
    constraint "task_requirement_size_enum" check ("size" in ('XS', 'S', 'M', 'L', 'XL', 'XXL', 'not_required')),
    constraint "task_requirement_status_enum" check ("status" in ('pending', 'in_progress', 'complete')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("scope"), 0) +
        coalesce(octet_length("brief"), 0) <= 3145728),
    constraint "task_requirement_figures" check (quoted_max_minutes >= quoted_minutes and quoted_minutes >= feedback_budget_minutes and feedback_budget_minutes >= 0),
    constraint "task_requirement_counters" check (actual_minutes >= 0 and billable_minutes >= 0 and banked_minutes >= 0 and overage_minutes >= 0),
    constraint "task_requirement_banked_or_over" check (banked_minutes = 0 or overage_minutes = 0)
) with (fillfactor = 90);
comment on table "task_requirement" is 'What was sold for one kind of work of a task, and what it took. Figures of the quote never change after conversion.';
comment on column "task_requirement"."brief" is 'JSON as text: the brief as it was quoted.';
comment on column "task_requirement"."quoted_minutes" is 'The size''s average.';
comment on column "task_requirement"."quoted_max_minutes" is 'The size''s maximum.';
comment on column "task_requirement"."feedback_budget_minutes" is 'A fifth of quoted_minutes, rounded up to 15.';
create table "roadmap_item" (
    "id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "month" text collate "C" not null,
    "task_id" text collate "C" not null,
    "planned_minutes" integer not null,
    "position" integer not null default 1000,
    "added_by_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "roadmap_item_pkey" primary key ("id"),
    constraint "roadmap_item_task_id_key" unique ("task_id"),
    constraint "roadmap_item_month_form" check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    constraint "roadmap_item_planned_minutes_check" check (planned_minutes >= 0),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("month"), 0) <= 3145728)
) with (fillfactor = 90);
comment on table "roadmap_item" is 'A task planned into a client''s month. A task sits in one month; moving it changes the month.';
comment on column "roadmap_item"."planned_minutes" is 'Sum of the quoted averages.';
comment on column "roadmap_item"."position" is 'Manual order, sparse; ties by id.';
create table "requirement_efficiency" (
    "id" text collate "C" not null,
    "task_requirement_id" text collate "C" not null,
    "client_id" text collate "C" not null,
    "type" text collate "C" not null,
    "client_period_id" text collate "C",
    "quoted_minutes" integer not null,
    "quoted_max_minutes" integer not null,
    "actual_minutes" integer not null,
    "billable_minutes" integer not null,
    "banked_minutes" integer not null,
    "overage_minutes" integer not null,
    "efficiency_bps" integer,
    "completed_at" timestamptz not null,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "requirement_efficiency_pkey" primary key ("id"),
    constraint "requirement_efficiency_task_requirement_id_key" unique ("task_requirement_id"),
    constraint "requirement_efficiency_type_enum" check ("type" in ('design', 'development', 'seo', 'retainer')),
    constraint "key_not_empty" check ("id" <> '')
) with (fillfactor = 90);
comment on table "requirement_efficiency" is 'One row for each finished requirement: what was quoted and what it took. Input of client_score.';
comment on column "requirement_efficiency"."efficiency_bps" is 'Quoted by actual; null when nothing was logged.';
create sequence "help_desk_ticket_display_id_seq" as integer;
create table "help_desk_ticket" (
    "id" text collate "C" not null,
    "display_id" integer not null default nextval('"help_desk_ticket_display_id_seq"'),
    "client_id" text collate "C" not null,
    "title" text collate "C" not null,
    "description" text collate "C",
    "priority" text collate "C" not null default 'p3',
    "status" text collate "C" not null default 'new',
    "created_by_user_id" text collate "C",
    "created_by_client_user_id" text collate "C",
    "assignee_id" text collate "C",
    "work_type" text collate "C",
    "estimated_minutes" integer,
    "actual_minutes" integer not null default 0,
    "start_date" date,
    "end_date" date,
    "first_responded_at" timestamptz,
    "resolved_at" timestamptz,
    "closed_at" timestamptz,
    "converted_quote_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "help_desk_ticket_pkey" primary key ("id"),
    constraint "help_desk_ticket_display_id_key" unique ("display_id"),
    constraint "help_desk_ticket_title_length" check (char_length("title") <= 200),
    constraint "help_desk_ticket_priority_enum" check ("priority" in ('p1', 'p2', 'p3', 'p4')),
    constraint "help_desk_ticket_status_enum" check ("status" in ('new', 'triaged', 'scheduled', 'in_progress', 'awaiting_client', 'resolved', 'closed')),
    constraint "help_desk_ticket_work_type_enum" check ("work_type" in ('development', 'design', 'pm', 'csm', 'qa', 'sdr')),
    constraint "help_desk_ticket_estimated_minutes_check" check (estimated_minutes >= 0),
    constraint "help_desk_ticket_actual_minutes_check" check (actual_minutes >= 0),
    constraint "start_date_14_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "end_date_15_years_1_to_9999" check ("end_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("end_date")),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("description"), 0) <= 3145728),
    constraint "help_desk_ticket_one_creator" check ((created_by_user_id is null) <> (created_by_client_user_id is null)),
    constraint "help_desk_ticket_dates" check (end_date >= start_date)
) with (fillfactor = 90);
alter sequence "help_desk_ticket_display_id_seq" owned by "help_desk_ticket"."display_id";
comment on table "help_desk_ticket" is 'Requests for help, from the portal or from the team.';
comment on column "help_desk_ticket"."display_id" is 'Ticket number.';
create table "help_desk_message" (
    "id" text collate "C" not null,
    "ticket_id" text collate "C" not null,
    "visibility" text collate "C" not null default 'client',
    "author_user_id" text collate "C",
    "author_client_user_id" text collate "C",
    "body" text collate "C" not null,
    "sent_at" timestamptz not null default now(),
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "help_desk_message_pkey" primary key ("id"),
    constraint "help_desk_message_visibility_enum" check ("visibility" in ('internal', 'client')),
    constraint "help_desk_message_body_length" check (char_length("body") <= 20000),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "help_desk_message_one_author" check ((author_user_id is null) <> (author_client_user_id is null)),
    constraint "help_desk_message_portal_is_client_visible" check (author_client_user_id is null or visibility = 'client')
) with (fillfactor = 90);
comment on table "help_desk_message" is 'What is said on a ticket. Internal notes never reach the portal.';
create table "subtask" (
    "id" text collate "C" not null,
    "task_id" text collate "C" not null,
    "task_requirement_id" text collate "C",
    "type" text collate "C" not null,
    "status" text collate "C" not null default 'unscheduled',
    "iteration" integer not null default 1,
    "source_review_id" text collate "C",
    "title" text collate "C",
    "assignee_id" text collate "C",
    "block_id" text collate "C",
    "estimated_minutes" integer,
    "suggested_minutes" integer,
    "start_date" date,
    "end_date" date,
    "handoff_url" text collate "C",
    "started_at" timestamptz,
    "completed_at" timestamptz,
    "position" integer not null default 1000,
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "subtask_pkey" primary key ("id"),
    constraint "subtask_task_requirement_id_type_iteration_key" unique ("task_requirement_id", "type", "iteration"),
    constraint "subtask_type_enum" check ("type" in ('design', 'client_design_feedback', 'development', 'internal_qa_review', 'internal_qa_fixes', 'external_qa_review', 'external_qa_fixes', 'deployment')),
    constraint "subtask_status_enum" check ("status" in ('unscheduled', 'scheduled', 'in_progress', 'awaiting_review', 'changes_requested', 'complete', 'cancelled')),
    constraint "subtask_iteration_check" check (iteration >= 1),
    constraint "subtask_title_length" check (char_length("title") <= 200),
    constraint "subtask_estimated_minutes_check" check (estimated_minutes >= 0),
    constraint "start_date_13_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "end_date_14_years_1_to_9999" check ("end_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("end_date")),
    constraint "subtask_handoff_url_length" check (char_length("handoff_url") <= 2000),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "subtask_dates" check (end_date >= start_date),
    constraint "subtask_design_needs_handoff" check (type <> 'design' or status not in ('awaiting_review', 'complete') or handoff_url is not null)
) with (fillfactor = 90);
comment on table "subtask" is 'One step of a task for one person. Reviews may spawn further rounds.';
comment on column "subtask"."iteration" is 'Round of feedback or fixes.';
comment on column "subtask"."source_review_id" is 'The review that asked for this fix.';
comment on column "subtask"."assignee_id" is 'Two planners must not half-merge: person, dates, block and estimate change together.';
comment on column "subtask"."suggested_minutes" is 'The estimate weighed with the client''s score, made at conversion.';
comment on column "subtask"."handoff_url" is 'A design cannot be finished without one.';
comment on column "subtask"."position" is 'Manual order, sparse; ties by id.';
create table "subtask_review" (
    "id" text collate "C" not null,
    "subtask_id" text collate "C" not null,
    "round" integer not null,
    "reviewer_kind" text collate "C" not null,
    "reviewer_user_id" text collate "C",
    "reviewer_client_user_id" text collate "C",
    "outcome" text collate "C",
    "feedback" text collate "C",
    "decided_at" timestamptz,
    "spawned_subtask_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "subtask_review_pkey" primary key ("id"),
    constraint "subtask_review_subtask_id_round_key" unique ("subtask_id", "round"),
    constraint "subtask_review_round_check" check (round >= 1),
    constraint "subtask_review_reviewer_kind_enum" check ("reviewer_kind" in ('client', 'internal')),
    constraint "subtask_review_outcome_enum" check ("outcome" in ('approved', 'changes_requested', 'passed', 'failed', 'signed_off')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "row_3_mib" check (coalesce(octet_length("feedback"), 0) <= 3145728),
    constraint "subtask_review_reviewer" check ((reviewer_kind = 'client') = (reviewer_client_user_id is not null) and (reviewer_kind = 'internal') = (reviewer_user_id is not null)),
    constraint "subtask_review_decided" check ((outcome is null) = (decided_at is null))
) with (fillfactor = 90);
comment on table "subtask_review" is 'Decisions about a subtask that awaits review. The first decision of a round counts.';
comment on column "subtask_review"."outcome" is 'Null while the review is open.';
create table "schedule_item" (
    "id" text collate "C" not null,
    "kind" text collate "C" not null,
    "subtask_id" text collate "C",
    "help_desk_ticket_id" text collate "C",
    "project_task_id" text collate "C",
    "block_id" text collate "C",
    "user_id" text collate "C" not null,
    "start_date" date not null,
    "end_date" date not null,
    "minutes" integer,
    "remaining_minutes" integer,
    "priority" integer not null,
    "manual_priority" boolean not null default false,
    "deprioritise_confirmed_by_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "schedule_item_pkey" primary key ("id"),
    constraint "schedule_item_kind_enum" check ("kind" in ('subtask', 'help_desk_ticket', 'project_task', 'block')),
    constraint "start_date_8_years_1_to_9999" check ("start_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("start_date")),
    constraint "end_date_9_years_1_to_9999" check ("end_date" between date '0001-01-01' and date '9999-12-31' or not isfinite("end_date")),
    constraint "schedule_item_minutes_check" check (minutes >= 0),
    constraint "schedule_item_remaining_minutes_check" check (remaining_minutes >= 0),
    constraint "schedule_item_priority_check" check (priority >= 1),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "schedule_item_one_subject" check ((kind = 'subtask') = (subtask_id is not null) and (kind = 'help_desk_ticket') = (help_desk_ticket_id is not null) and (kind = 'project_task') = (project_task_id is not null) and (kind = 'block') = (block_id is not null)),
    constraint "schedule_item_dates" check (end_date >= start_date),
    constraint "schedule_item_minutes" check ((kind = 'project_task') = (minutes is null))
) with (fillfactor = 90);
comment on table "schedule_item" is 'Something on a person''s calendar: exactly one subtask, ticket, project task or block.';
comment on column "schedule_item"."minutes" is 'Null for project tasks, which take no capacity.';
comment on column "schedule_item"."priority" is 'Lower comes first: 1 tickets, 100 begun before today, 200 one day today, 300 several days from today, 400 later.';
comment on column "schedule_item"."deprioritise_confirmed_by_id" is 'Who confirmed that a ticket goes below subtasks.';
create table "schedule_allocation" (
    "user_id" text collate "C" not null,
    "date" date not null,
    "schedule_item_id" text collate "C" not null,
    "minutes" integer not null,
    "sequence" integer not null,
    "state" text collate "C" not null,
    "computed_at" timestamptz not null default now(),
    constraint "schedule_allocation_pkey" primary key ("user_id", "date", "schedule_item_id"),
    constraint "date_2_years_1_to_9999" check ("date" between date '0001-01-01' and date '9999-12-31' or not isfinite("date")),
    constraint "schedule_allocation_minutes_check" check (minutes >= 0),
    constraint "schedule_allocation_state_enum" check ("state" in ('allocated', 'queued'))
) with (fillfactor = 90);
comment on table "schedule_allocation" is 'Which item gets how many minutes of which day: computed from schedule_item, never edited.';
create table "time_entry" (
    "id" text collate "C" not null,
    "user_id" text collate "C" not null,
    "date" date not null,
    "minutes" integer not null,
    "activity_type" text collate "C" not null,
    "is_internal" boolean not null default false,
    "client_id" text collate "C",
    "task_id" text collate "C",
    "subtask_id" text collate "C",
    "task_requirement_id" text collate "C",
    "help_desk_ticket_id" text collate "C",
    "project_task_id" text collate "C",
    "work_type" text collate "C",
    "notes" text collate "C",
    "is_billable" boolean not null,
    "source" text collate "C" not null default 'wizard',
    "locked_by_period_id" text collate "C",
    "created_at" timestamptz not null default now(),
    "updated_at" timestamptz not null default now(),
    constraint "time_entry_pkey" primary key ("id"),
    constraint "date_3_years_1_to_9999" check ("date" between date '0001-01-01' and date '9999-12-31' or not isfinite("date")),
    constraint "time_entry_minutes_range" check (minutes between 1 and 720),
    constraint "time_entry_activity_type_enum" check ("activity_type" in ('task', 'help_desk', 'client_call', 'internal_meeting', 'support', 'admin')),
    constraint "time_entry_work_type_enum" check ("work_type" in ('development', 'design', 'pm', 'csm', 'qa', 'sdr')),
    constraint "time_entry_notes_length" check (char_length("notes") <= 5000),
    constraint "time_entry_source_enum" check ("source" in ('wizard', 'context', 'completion', 'timer', 'import')),
    constraint "key_not_empty" check ("id" <> ''),
    constraint "time_entry_client_or_internal" check (is_internal = (client_id is null)),
    constraint "time_entry_internal_has_no_links" check (not is_internal or (task_id is null and subtask_id is null and task_requirement_id is null and help_desk_ticket_id is null and project_task_id is null)),
    constraint "time_entry_help_desk_needs_ticket" check (activity_type <> 'help_desk' or help_desk_ticket_id is not null),
    constraint "time_entry_billable_by_links" check (is_billable = (activity_type in ('task', 'help_desk') and (task_id is not null or subtask_id is not null or help_desk_ticket_id is not null or project_task_id is not null)))
) with (fillfactor = 90);
comment on table "time_entry" is 'Minutes a person worked on a day. Written through TimeService, which knows the rules of months and days.';
comment on column "time_entry"."date" is 'Any past day, never a future one.';
comment on column "time_entry"."task_requirement_id" is 'Of the subtask.';
comment on column "time_entry"."is_billable" is 'Follows from activity and links, never set by hand.';
comment on column "time_entry"."locked_by_period_id" is 'Set when its month closes; from then on the entry stands.';
alter table "user" add constraint "user_department_id_fkey" foreign key ("department_id") references "department" ("id") on delete set null;
alter table "user" add constraint "user_reports_to_id_fkey" foreign key ("reports_to_id") references "user" ("id") on delete set null;
alter table "session" add constraint "session_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "account" add constraint "account_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "user_preference" add constraint "user_preference_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "department" add constraint "department_lead_id_fkey" foreign key ("lead_id") references "user" ("id") on delete set null;
alter table "client" add constraint "client_csm_id_fkey" foreign key ("csm_id") references "user" ("id") on delete set null;
alter table "client" add constraint "client_plan_id_fkey" foreign key ("plan_id") references "plan" ("id") on delete restrict;
alter table "client" add constraint "client_pm_id_fkey" foreign key ("pm_id") references "user" ("id") on delete set null;
alter table "client_user" add constraint "client_user_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "client_user" add constraint "client_user_invited_by_id_fkey" foreign key ("invited_by_id") references "user" ("id") on delete set null;
alter table "client_session" add constraint "client_session_client_user_id_fkey" foreign key ("client_user_id") references "client_user" ("id") on delete cascade;
alter table "client_account" add constraint "client_account_client_user_id_fkey" foreign key ("client_user_id") references "client_user" ("id") on delete cascade;
alter table "client_verification" add constraint "client_verification_client_user_id_fkey" foreign key ("client_user_id") references "client_user" ("id") on delete cascade;
alter table "client_user_preference" add constraint "client_user_preference_client_user_id_fkey" foreign key ("client_user_id") references "client_user" ("id") on delete cascade;
alter table "project" add constraint "project_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "project" add constraint "project_pm_id_fkey" foreign key ("pm_id") references "user" ("id") on delete set null;
alter table "project_phase" add constraint "project_phase_project_id_fkey" foreign key ("project_id") references "project" ("id") on delete cascade;
alter table "project_task" add constraint "project_task_project_id_fkey" foreign key ("project_id") references "project" ("id") on delete cascade;
alter table "project_task" add constraint "project_task_phase_id_fkey" foreign key ("phase_id") references "project_phase" ("id") on delete cascade;
alter table "project_task" add constraint "project_task_assignee_id_fkey" foreign key ("assignee_id") references "user" ("id") on delete set null;
alter table "project_sign_off" add constraint "project_sign_off_project_id_fkey" foreign key ("project_id") references "project" ("id") on delete cascade;
alter table "project_sign_off" add constraint "project_sign_off_phase_id_fkey" foreign key ("phase_id") references "project_phase" ("id") on delete cascade;
alter table "project_sign_off" add constraint "project_sign_off_project_task_id_fkey" foreign key ("project_task_id") references "project_task" ("id") on delete cascade;
alter table "project_sign_off" add constraint "project_sign_off_requested_by_id_fkey" foreign key ("requested_by_id") references "user" ("id") on delete restrict;
alter table "project_sign_off" add constraint "project_sign_off_decided_by_client_user_id_fkey" foreign key ("decided_by_client_user_id") references "client_user" ("id") on delete restrict;
alter table "comment" add constraint "comment_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "comment" add constraint "comment_author_user_id_fkey" foreign key ("author_user_id") references "user" ("id") on delete restrict;
alter table "comment" add constraint "comment_author_client_user_id_fkey" foreign key ("author_client_user_id") references "client_user" ("id") on delete restrict;
alter table "comment" add constraint "comment_parent_comment_id_fkey" foreign key ("parent_comment_id") references "comment" ("id") on delete set null;
alter table "attachment" add constraint "attachment_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "attachment" add constraint "attachment_uploaded_by_user_id_fkey" foreign key ("uploaded_by_user_id") references "user" ("id") on delete restrict;
alter table "attachment" add constraint "attachment_uploaded_by_client_user_id_fkey" foreign key ("uploaded_by_client_user_id") references "client_user" ("id") on delete restrict;
alter table "attachment" add constraint "attachment_content_fkey" foreign key ("content") references charle.file (hash);
alter table "block" add constraint "block_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "block" add constraint "block_assignee_id_fkey" foreign key ("assignee_id") references "user" ("id") on delete set null;
alter table "block" add constraint "block_overlap_confirmed_by_id_fkey" foreign key ("overlap_confirmed_by_id") references "user" ("id") on delete set null;
alter table "block" add constraint "block_created_by_id_fkey" foreign key ("created_by_id") references "user" ("id") on delete set null;
alter table "capacity_rule" add constraint "capacity_rule_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "client_plan_change" add constraint "client_plan_change_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "client_plan_change" add constraint "client_plan_change_from_plan_id_fkey" foreign key ("from_plan_id") references "plan" ("id") on delete restrict;
alter table "client_plan_change" add constraint "client_plan_change_to_plan_id_fkey" foreign key ("to_plan_id") references "plan" ("id") on delete restrict;
alter table "client_plan_change" add constraint "client_plan_change_changed_by_id_fkey" foreign key ("changed_by_id") references "user" ("id") on delete set null;
alter table "client_period" add constraint "client_period_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "client_period" add constraint "client_period_plan_id_fkey" foreign key ("plan_id") references "plan" ("id") on delete restrict;
alter table "client_period" add constraint "client_period_closed_by_id_fkey" foreign key ("closed_by_id") references "user" ("id") on delete restrict;
alter table "period_adjustment" add constraint "period_adjustment_client_period_id_fkey" foreign key ("client_period_id") references "client_period" ("id") on delete restrict;
alter table "period_adjustment" add constraint "period_adjustment_source_period_id_fkey" foreign key ("source_period_id") references "client_period" ("id") on delete restrict;
alter table "period_adjustment" add constraint "period_adjustment_created_by_id_fkey" foreign key ("created_by_id") references "user" ("id") on delete set null;
alter table "client_metric" add constraint "client_metric_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete cascade;
alter table "user_metric" add constraint "user_metric_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "client_score" add constraint "client_score_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete cascade;
alter table "leave_request" add constraint "leave_request_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "leave_request" add constraint "leave_request_created_by_id_fkey" foreign key ("created_by_id") references "user" ("id") on delete cascade;
alter table "leave_request" add constraint "leave_request_decided_by_id_fkey" foreign key ("decided_by_id") references "user" ("id") on delete set null;
alter table "leave_balance" add constraint "leave_balance_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "notification" add constraint "notification_recipient_user_id_fkey" foreign key ("recipient_user_id") references "user" ("id") on delete cascade;
alter table "notification" add constraint "notification_recipient_client_user_id_fkey" foreign key ("recipient_client_user_id") references "client_user" ("id") on delete cascade;
alter table "notification" add constraint "notification_actor_user_id_fkey" foreign key ("actor_user_id") references "user" ("id") on delete set null;
alter table "activity_log" add constraint "activity_log_actor_user_id_fkey" foreign key ("actor_user_id") references "user" ("id") on delete restrict;
alter table "activity_log" add constraint "activity_log_actor_client_user_id_fkey" foreign key ("actor_client_user_id") references "client_user" ("id") on delete restrict;
alter table "activity_log" add constraint "activity_log_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "quote" add constraint "quote_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "quote" add constraint "quote_created_by_user_id_fkey" foreign key ("created_by_user_id") references "user" ("id") on delete restrict;
alter table "quote" add constraint "quote_created_by_client_user_id_fkey" foreign key ("created_by_client_user_id") references "client_user" ("id") on delete restrict;
alter table "quote" add constraint "quote_csm_approved_by_id_fkey" foreign key ("csm_approved_by_id") references "user" ("id") on delete restrict;
alter table "quote" add constraint "quote_client_decided_by_id_fkey" foreign key ("client_decided_by_id") references "client_user" ("id") on delete restrict;
alter table "quote" add constraint "quote_task_id_fkey" foreign key ("task_id") references "task" ("id") on delete set null;
alter table "quote_requirement" add constraint "quote_requirement_quote_id_fkey" foreign key ("quote_id") references "quote" ("id") on delete cascade;
alter table "quote_requirement" add constraint "quote_requirement_completed_by_id_fkey" foreign key ("completed_by_id") references "user" ("id") on delete restrict;
alter table "quote_requirement_assignee" add constraint "quote_requirement_assignee_quote_requirement_id_fkey" foreign key ("quote_requirement_id") references "quote_requirement" ("id") on delete cascade;
alter table "quote_requirement_assignee" add constraint "quote_requirement_assignee_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "quote_requirement_assignee" add constraint "quote_requirement_assignee_assigned_by_id_fkey" foreign key ("assigned_by_id") references "user" ("id") on delete set null;
alter table "task" add constraint "task_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "task" add constraint "task_pm_id_fkey" foreign key ("pm_id") references "user" ("id") on delete set null;
alter table "task" add constraint "task_quote_id_fkey" foreign key ("quote_id") references "quote" ("id") on delete set null;
alter table "task" add constraint "task_project_id_fkey" foreign key ("project_id") references "project" ("id") on delete set null;
alter table "task" add constraint "task_created_by_id_fkey" foreign key ("created_by_id") references "user" ("id") on delete set null;
alter table "task_requirement" add constraint "task_requirement_task_id_fkey" foreign key ("task_id") references "task" ("id") on delete cascade;
alter table "task_requirement" add constraint "task_requirement_quote_requirement_id_fkey" foreign key ("quote_requirement_id") references "quote_requirement" ("id") on delete set null;
alter table "roadmap_item" add constraint "roadmap_item_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "roadmap_item" add constraint "roadmap_item_task_id_fkey" foreign key ("task_id") references "task" ("id") on delete cascade;
alter table "roadmap_item" add constraint "roadmap_item_added_by_id_fkey" foreign key ("added_by_id") references "user" ("id") on delete set null;
alter table "requirement_efficiency" add constraint "requirement_efficiency_task_requirement_id_fkey" foreign key ("task_requirement_id") references "task_requirement" ("id") on delete cascade;
alter table "requirement_efficiency" add constraint "requirement_efficiency_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "requirement_efficiency" add constraint "requirement_efficiency_client_period_id_fkey" foreign key ("client_period_id") references "client_period" ("id") on delete set null;
alter table "help_desk_ticket" add constraint "help_desk_ticket_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "help_desk_ticket" add constraint "help_desk_ticket_created_by_user_id_fkey" foreign key ("created_by_user_id") references "user" ("id") on delete restrict;
alter table "help_desk_ticket" add constraint "help_desk_ticket_created_by_client_user_id_fkey" foreign key ("created_by_client_user_id") references "client_user" ("id") on delete restrict;
alter table "help_desk_ticket" add constraint "help_desk_ticket_assignee_id_fkey" foreign key ("assignee_id") references "user" ("id") on delete set null;
alter table "help_desk_ticket" add constraint "help_desk_ticket_converted_quote_id_fkey" foreign key ("converted_quote_id") references "quote" ("id") on delete set null;
alter table "help_desk_message" add constraint "help_desk_message_ticket_id_fkey" foreign key ("ticket_id") references "help_desk_ticket" ("id") on delete cascade;
alter table "help_desk_message" add constraint "help_desk_message_author_user_id_fkey" foreign key ("author_user_id") references "user" ("id") on delete restrict;
alter table "help_desk_message" add constraint "help_desk_message_author_client_user_id_fkey" foreign key ("author_client_user_id") references "client_user" ("id") on delete restrict;
alter table "subtask" add constraint "subtask_task_id_fkey" foreign key ("task_id") references "task" ("id") on delete cascade;
alter table "subtask" add constraint "subtask_task_requirement_id_fkey" foreign key ("task_requirement_id") references "task_requirement" ("id") on delete cascade;
alter table "subtask" add constraint "subtask_source_review_id_fkey" foreign key ("source_review_id") references "subtask_review" ("id") on delete set null;
alter table "subtask" add constraint "subtask_assignee_id_fkey" foreign key ("assignee_id") references "user" ("id") on delete set null;
alter table "subtask" add constraint "subtask_block_id_fkey" foreign key ("block_id") references "block" ("id") on delete set null;
alter table "subtask_review" add constraint "subtask_review_subtask_id_fkey" foreign key ("subtask_id") references "subtask" ("id") on delete cascade;
alter table "subtask_review" add constraint "subtask_review_reviewer_user_id_fkey" foreign key ("reviewer_user_id") references "user" ("id") on delete restrict;
alter table "subtask_review" add constraint "subtask_review_reviewer_client_user_id_fkey" foreign key ("reviewer_client_user_id") references "client_user" ("id") on delete restrict;
alter table "subtask_review" add constraint "subtask_review_spawned_subtask_id_fkey" foreign key ("spawned_subtask_id") references "subtask" ("id") on delete set null;
alter table "schedule_item" add constraint "schedule_item_subtask_id_fkey" foreign key ("subtask_id") references "subtask" ("id") on delete cascade;
alter table "schedule_item" add constraint "schedule_item_help_desk_ticket_id_fkey" foreign key ("help_desk_ticket_id") references "help_desk_ticket" ("id") on delete cascade;
alter table "schedule_item" add constraint "schedule_item_project_task_id_fkey" foreign key ("project_task_id") references "project_task" ("id") on delete cascade;
alter table "schedule_item" add constraint "schedule_item_block_id_fkey" foreign key ("block_id") references "block" ("id") on delete cascade;
alter table "schedule_item" add constraint "schedule_item_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "schedule_item" add constraint "schedule_item_deprioritise_confirmed_by_id_fkey" foreign key ("deprioritise_confirmed_by_id") references "user" ("id") on delete set null;
alter table "schedule_allocation" add constraint "schedule_allocation_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete cascade;
alter table "schedule_allocation" add constraint "schedule_allocation_schedule_item_id_fkey" foreign key ("schedule_item_id") references "schedule_item" ("id") on delete cascade;
alter table "time_entry" add constraint "time_entry_user_id_fkey" foreign key ("user_id") references "user" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_client_id_fkey" foreign key ("client_id") references "client" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_task_id_fkey" foreign key ("task_id") references "task" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_subtask_id_fkey" foreign key ("subtask_id") references "subtask" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_task_requirement_id_fkey" foreign key ("task_requirement_id") references "task_requirement" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_help_desk_ticket_id_fkey" foreign key ("help_desk_ticket_id") references "help_desk_ticket" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_project_task_id_fkey" foreign key ("project_task_id") references "project_task" ("id") on delete restrict;
alter table "time_entry" add constraint "time_entry_locked_by_period_id_fkey" foreign key ("locked_by_period_id") references "client_period" ("id") on delete restrict;
create index "verification_identifier_idx" on "verification" ("identifier");
create index "verification_expires_at_idx" on "verification" ("expires_at");
create index "user_status_idx" on "user" ("status");
create index "user_reports_to_id_idx" on "user" ("reports_to_id");
create index "user_work_type_access_level_idx" on "user" ("work_type", "access_level");
create index "session_user_id_idx" on "session" ("user_id");
create index "session_expires_at_idx" on "session" ("expires_at");
create index "account_user_id_idx" on "account" ("user_id");
create index "client_csm_id_idx" on "client" ("csm_id");
create index "client_pm_id_idx" on "client" ("pm_id");
create index "client_status_idx" on "client" ("status");
create index "client_plan_id_idx" on "client" ("plan_id");
create index "client_user_client_id_status_idx" on "client_user" ("client_id", "status");
create index "client_session_client_user_id_idx" on "client_session" ("client_user_id");
create index "client_session_expires_at_idx" on "client_session" ("expires_at");
create index "client_account_client_user_id_idx" on "client_account" ("client_user_id");
create index "client_verification_identifier_idx" on "client_verification" ("identifier");
create index "client_verification_expires_at_idx" on "client_verification" ("expires_at");
create index "project_client_id_status_idx" on "project" ("client_id", "status");
create index "project_pm_id_idx" on "project" ("pm_id");
create index "project_phase_project_id_position_idx" on "project_phase" ("project_id", "position");
create index "project_task_assignee_id_start_date_idx" on "project_task" ("assignee_id", "start_date");
create index "project_task_phase_id_position_idx" on "project_task" ("phase_id", "position");
create index "project_task_project_id_idx" on "project_task" ("project_id");
create index "project_sign_off_project_id_idx" on "project_sign_off" ("project_id");
create index "project_sign_off_project_task_id_idx" on "project_sign_off" ("project_task_id");
create index "comment_subject_type_subject_id_created_at_idx" on "comment" ("subject_type", "subject_id", "created_at");
create index "comment_client_id_visibility_idx" on "comment" ("client_id", "visibility");
create index "attachment_subject_type_subject_id_created_at_idx" on "attachment" ("subject_type", "subject_id", "created_at");
create index "attachment_client_id_visibility_idx" on "attachment" ("client_id", "visibility");
create index "attachment_content_file_idx" on "attachment" ("content");
create index "block_assignee_id_start_date_idx" on "block" ("assignee_id", "start_date");
create index "block_month_idx" on "block" ("month");
create unique index "capacity_rule_role_key" on "capacity_rule" ("role_key", "effective_from") where scope = 'role';
create unique index "capacity_rule_user_key" on "capacity_rule" ("user_id", "effective_from") where scope = 'user';
create index "client_plan_change_client_id_effective_month_idx" on "client_plan_change" ("client_id", "effective_month");
create index "client_plan_change_effective_month_kind_idx" on "client_plan_change" ("effective_month", "kind");
create index "period_adjustment_client_period_id_idx" on "period_adjustment" ("client_period_id");
create unique index "period_adjustment_rollover_key" on "period_adjustment" ("client_period_id", "source_period_id") where kind = 'rollover_in';
create index "leave_request_user_id_start_date_idx" on "leave_request" ("user_id", "start_date");
create index "leave_request_status_idx" on "leave_request" ("status");
create index "notification_recipient_user_id_read_at_created_at_idx" on "notification" ("recipient_user_id", "read_at", "created_at");
create index "notification_recipient_client_user_id_read_at_created_at_idx" on "notification" ("recipient_client_user_id", "read_at", "created_at");
create index "activity_log_subject_type_subject_id_at_idx" on "activity_log" ("subject_type", "subject_id", "at");
create index "activity_log_client_id_at_idx" on "activity_log" ("client_id", "at");
create index "activity_log_actor_user_id_at_idx" on "activity_log" ("actor_user_id", "at");
create index "quote_client_id_status_idx" on "quote" ("client_id", "status") with (deduplicate_items = off);
create index "quote_status_updated_at_idx" on "quote" ("status", "updated_at") with (deduplicate_items = off);
create index "quote_requirement_assignee_user_id_idx" on "quote_requirement_assignee" ("user_id");
create index "task_client_id_status_idx" on "task" ("client_id", "status") with (deduplicate_items = off);
create index "task_pm_id_status_idx" on "task" ("pm_id", "status") with (deduplicate_items = off);
create index "task_status_updated_at_idx" on "task" ("status", "updated_at") with (deduplicate_items = off);
create index "task_project_id_idx" on "task" ("project_id") with (deduplicate_items = off) where project_id is not null;
create index "roadmap_item_client_id_month_position_idx" on "roadmap_item" ("client_id", "month", "position");
create index "requirement_efficiency_client_id_type_completed_at_idx" on "requirement_efficiency" ("client_id", "type", "completed_at");
create index "help_desk_ticket_status_priority_idx" on "help_desk_ticket" ("status", "priority");
create index "help_desk_ticket_client_id_status_idx" on "help_desk_ticket" ("client_id", "status");
create index "help_desk_ticket_assignee_id_status_idx" on "help_desk_ticket" ("assignee_id", "status");
create index "help_desk_message_ticket_id_sent_at_idx" on "help_desk_message" ("ticket_id", "sent_at");
create index "subtask_assignee_id_start_date_idx" on "subtask" ("assignee_id", "start_date");
create index "subtask_task_id_type_idx" on "subtask" ("task_id", "type");
create index "subtask_block_id_idx" on "subtask" ("block_id");
create index "schedule_item_user_id_start_date_end_date_idx" on "schedule_item" ("user_id", "start_date", "end_date");
create index "schedule_item_user_id_priority_idx" on "schedule_item" ("user_id", "priority");
create unique index "schedule_item_subtask_user_key" on "schedule_item" ("subtask_id", "user_id") where subtask_id is not null;
create unique index "schedule_item_ticket_user_key" on "schedule_item" ("help_desk_ticket_id", "user_id") where help_desk_ticket_id is not null;
create unique index "schedule_item_project_task_user_key" on "schedule_item" ("project_task_id", "user_id") where project_task_id is not null;
create unique index "schedule_item_block_user_key" on "schedule_item" ("block_id", "user_id") where block_id is not null;
create index "schedule_allocation_schedule_item_id_idx" on "schedule_allocation" ("schedule_item_id");
create index "time_entry_user_id_date_idx" on "time_entry" ("user_id", "date");
create index "time_entry_client_id_date_idx" on "time_entry" ("client_id", "date");
create index "time_entry_subtask_id_idx" on "time_entry" ("subtask_id");
create index "time_entry_task_id_idx" on "time_entry" ("task_id");
create index "time_entry_task_requirement_id_idx" on "time_entry" ("task_requirement_id");
create index "time_entry_help_desk_ticket_id_idx" on "time_entry" ("help_desk_ticket_id");
create index "time_entry_project_task_id_idx" on "time_entry" ("project_task_id");
select charle.unstamp(24);
create function charle.t24_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."size" operator(pg_catalog.=) old."size" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1estaff\x1f24u\x1f' operator(pg_catalog.||) new."size"
            operator(pg_catalog.||) e'\x1eportals\x1f24u\x1f' operator(pg_catalog.||) new."size", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."size" operator(pg_catalog.=) old."size" then e'\x1estaff\x1f24u\x1f' operator(pg_catalog.||) new."size"
            else coalesce(e'\x1estaff\x1f24d\x1f' operator(pg_catalog.||) old."size", '') operator(pg_catalog.||) coalesce(e'\x1estaff\x1f24u\x1f' operator(pg_catalog.||) charle.clean(new."size"), '') end
            operator(pg_catalog.||) case when new."size" operator(pg_catalog.=) old."size" then e'\x1eportals\x1f24u\x1f' operator(pg_catalog.||) new."size"
            else coalesce(e'\x1eportals\x1f24d\x1f' operator(pg_catalog.||) old."size", '') operator(pg_catalog.||) coalesce(e'\x1eportals\x1f24u\x1f' operator(pg_catalog.||) charle.clean(new."size"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f24u\x1f' operator(pg_catalog.||) charle.clean(new."size"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportals\x1f24u\x1f' operator(pg_catalog.||) charle.clean(new."size"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f24d\x1f' operator(pg_catalog.||) old."size", '')
            operator(pg_catalog.||) coalesce(e'\x1eportals\x1f24d\x1f' operator(pg_catalog.||) old."size", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."tshirt_size";
create trigger charle_log after insert or update or delete on public."tshirt_size" for each row execute function charle.t24_log();
alter table public."tshirt_size" enable always trigger charle_log;
drop trigger if exists charle_raise on public."tshirt_size";
create constraint trigger charle_raise after insert or update or delete on public."tshirt_size" deferrable initially deferred for each row execute function charle.raise();
alter table public."tshirt_size" enable always trigger charle_raise;
create function charle.t24_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 24, 'd'::"char", r."size" from public."tshirt_size" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portals', 24, 'd'::"char", r."size" from public."tshirt_size" r where true;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."tshirt_size";
create trigger charle_truncate before truncate on public."tshirt_size" for each statement execute function charle.t24_truncate();
alter table public."tshirt_size" enable always trigger charle_truncate;
select charle.unstamp(32);
create function charle.t32_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when true and row(old."id", old."name", old."monthly_minutes", old."pm_deduction_bps", old."is_custom", old."is_active", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."monthly_minutes", new."pm_deduction_bps", new."is_custom", new."is_active", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eleads\x1f32u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1emoney\x1f32u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."name", old."monthly_minutes", old."pm_deduction_bps", old."is_custom", old."is_active", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."monthly_minutes", new."pm_deduction_bps", new."is_custom", new."is_active", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eleads\x1f32u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eleads\x1f32d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f32u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1emoney\x1f32u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1emoney\x1f32d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emoney\x1f32u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f32u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f32u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f32d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f32d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(32, array[new."id"], false);
    for is_in in select distinct s.scope from public."client" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."plan_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f32u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."plan";
create trigger charle_log after insert or update or delete on public."plan" for each row execute function charle.t32_log();
alter table public."plan" enable always trigger charle_log;
drop trigger if exists charle_raise on public."plan";
create constraint trigger charle_raise after insert or update or delete on public."plan" deferrable initially deferred for each row execute function charle.raise();
alter table public."plan" enable always trigger charle_raise;
create function charle.t32_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 32, 'd'::"char", r."id" from public."plan" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'money', 32, 'd'::"char", r."id" from public."plan" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 32, 'd'::"char", r."id" from public."plan" r, public."client" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."plan_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."plan";
create trigger charle_truncate before truncate on public."plan" for each statement execute function charle.t32_truncate();
alter table public."plan" enable always trigger charle_truncate;
create function charle.t32_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(32, array[old."id"], false);
    for is_in in select distinct s.scope from public."client" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."plan_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f32d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."plan";
create trigger zz_charle_leave before update or delete on public."plan" for each row execute function charle.t32_leave();
alter table public."plan" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 32, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t32_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(12, array[l."id"], true);
    perform charle.lock_rows(32, array(select distinct r."id" from public."plan" r where true and l."plan_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."plan" r, lateral (values (case when true then 'account:' operator(pg_catalog.||) l."id" end), (case when true then 'portal:' operator(pg_catalog.||) l."id" end)) s (scope) where true and l."plan_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f32u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t32_a2_s1_gone on public."client";
create trigger zz_charle_t32_a2_s1_gone before delete on public."client" for each row execute function charle.t32_a2_s1();
alter table public."client" enable always trigger zz_charle_t32_a2_s1_gone;
drop trigger if exists zz_charle_t32_a2_s1_from on public."client";
create trigger zz_charle_t32_a2_s1_from before update on public."client" for each row when (old."id" is distinct from new."id" or old."plan_id" is distinct from new."plan_id") execute function charle.t32_a2_s1();
alter table public."client" enable always trigger zz_charle_t32_a2_s1_from;
drop trigger if exists charle_t32_a2_s1_to on public."client";
create trigger charle_t32_a2_s1_to after update on public."client" for each row when (old."id" is distinct from new."id" or old."plan_id" is distinct from new."plan_id") execute function charle.t32_a2_s1();
alter table public."client" enable always trigger charle_t32_a2_s1_to;
drop trigger if exists charle_t32_a2_s1_new on public."client";
create trigger charle_t32_a2_s1_new after insert on public."client" for each row execute function charle.t32_a2_s1();
alter table public."client" enable always trigger charle_t32_a2_s1_new;
create function charle.t32_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 32, 'd'::"char", r."id" from public."plan" r, public."client" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."plan_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t32_a2_s1_truncate on public."client";
create trigger charle_t32_a2_s1_truncate before truncate on public."client" for each statement execute function charle.t32_a2_s1_truncate();
alter table public."client" enable always trigger charle_t32_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 12, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(45);
create function charle.t45_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."date" operator(pg_catalog.=) old."date" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1estaff\x1f45u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."date")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."date" operator(pg_catalog.=) old."date" then e'\x1estaff\x1f45u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."date")::pg_catalog.text
            else coalesce(e'\x1estaff\x1f45d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."date")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1estaff\x1f45u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."date")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f45u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."date")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f45d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."date")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."bank_holiday";
create trigger charle_log after insert or update or delete on public."bank_holiday" for each row execute function charle.t45_log();
alter table public."bank_holiday" enable always trigger charle_log;
drop trigger if exists charle_raise on public."bank_holiday";
create constraint trigger charle_raise after insert or update or delete on public."bank_holiday" deferrable initially deferred for each row execute function charle.raise();
alter table public."bank_holiday" enable always trigger charle_raise;
create function charle.t45_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 45, 'd'::"char", pg_catalog.jsonb_build_array(r."date")::pg_catalog.text from public."bank_holiday" r where true;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."bank_holiday";
create trigger charle_truncate before truncate on public."bank_holiday" for each statement execute function charle.t45_truncate();
alter table public."bank_holiday" enable always trigger charle_truncate;
select charle.unstamp(1);
create function charle.t1_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when true and row(old."id", old."name", old."image", old."job_title", old."status", old."work_type", old."access_level", old."has_billable_capacity", old."department_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."image", new."job_title", new."status", new."work_type", new."access_level", new."has_billable_capacity", new."department_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1estaff\x1f1u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1emanagers\x1f1u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."id" operator(pg_catalog.||) e'\x1f1u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."name", old."image", old."job_title", old."status", old."work_type", old."access_level", old."has_billable_capacity", old."department_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."image", new."job_title", new."status", new."work_type", new."access_level", new."has_billable_capacity", new."department_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1estaff\x1f1u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1estaff\x1f1d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1estaff\x1f1u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1emanagers\x1f1u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1emanagers\x1f1d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f1u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1euser:' operator(pg_catalog.||) new."id" operator(pg_catalog.||) e'\x1f1u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."id" operator(pg_catalog.||) e'\x1f1d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."id") operator(pg_catalog.||) e'\x1f1u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f1u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f1u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."id") operator(pg_catalog.||) e'\x1f1u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f1d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f1d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."id" operator(pg_catalog.||) e'\x1f1d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(1, array[new."id"], false);
    for is_in in select distinct s.scope from public."client" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."csm_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f1u\x1f' || new."id";
    end loop;
    perform charle.lock_rows(1, array[new."id"], false);
    for is_in in select distinct s.scope from public."client" p1, lateral (values (case when true then 'portal_pm:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."pm_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f1u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."user";
create trigger charle_log after insert or update or delete on public."user" for each row execute function charle.t1_log();
alter table public."user" enable always trigger charle_log;
drop trigger if exists charle_raise on public."user";
create constraint trigger charle_raise after insert or update or delete on public."user" deferrable initially deferred for each row execute function charle.raise();
alter table public."user" enable always trigger charle_raise;
create function charle.t1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 1, 'd'::"char", r."id" from public."user" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'managers', 1, 'd'::"char", r."id" from public."user" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."id", 1, 'd'::"char", r."id" from public."user" r where true and r."id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 1, 'd'::"char", r."id" from public."user" r, public."client" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."csm_id" = r."id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 1, 'd'::"char", r."id" from public."user" r, public."client" p1, lateral (values (case when true then 'portal_pm:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."pm_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."user";
create trigger charle_truncate before truncate on public."user" for each statement execute function charle.t1_truncate();
alter table public."user" enable always trigger charle_truncate;
create function charle.t1_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(1, array[old."id"], false);
    for is_in in select distinct s.scope from public."client" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."csm_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f1d\x1f' || old."id";
    end loop;
    perform charle.lock_rows(1, array[old."id"], false);
    for is_in in select distinct s.scope from public."client" p1, lateral (values (case when true then 'portal_pm:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."pm_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f1d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."user";
create trigger zz_charle_leave before update or delete on public."user" for each row execute function charle.t1_leave();
alter table public."user" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 1, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t1_a3_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(12, array[l."id"], true);
    perform charle.lock_rows(1, array(select distinct r."id" from public."user" r where true and l."csm_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."user" r, lateral (values (case when true then 'portal:' operator(pg_catalog.||) l."id" end)) s (scope) where true and l."csm_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f1u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t1_a3_s1_gone on public."client";
create trigger zz_charle_t1_a3_s1_gone before delete on public."client" for each row execute function charle.t1_a3_s1();
alter table public."client" enable always trigger zz_charle_t1_a3_s1_gone;
drop trigger if exists zz_charle_t1_a3_s1_from on public."client";
create trigger zz_charle_t1_a3_s1_from before update on public."client" for each row when (old."id" is distinct from new."id" or old."csm_id" is distinct from new."csm_id") execute function charle.t1_a3_s1();
alter table public."client" enable always trigger zz_charle_t1_a3_s1_from;
drop trigger if exists charle_t1_a3_s1_to on public."client";
create trigger charle_t1_a3_s1_to after update on public."client" for each row when (old."id" is distinct from new."id" or old."csm_id" is distinct from new."csm_id") execute function charle.t1_a3_s1();
alter table public."client" enable always trigger charle_t1_a3_s1_to;
drop trigger if exists charle_t1_a3_s1_new on public."client";
create trigger charle_t1_a3_s1_new after insert on public."client" for each row execute function charle.t1_a3_s1();
alter table public."client" enable always trigger charle_t1_a3_s1_new;
create function charle.t1_a3_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 1, 'd'::"char", r."id" from public."user" r, public."client" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."csm_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t1_a3_s1_truncate on public."client";
create trigger charle_t1_a3_s1_truncate before truncate on public."client" for each statement execute function charle.t1_a3_s1_truncate();
alter table public."client" enable always trigger charle_t1_a3_s1_truncate;
insert into charle.gate (tab, bucket) select 12, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t1_a4_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(12, array[l."id"], true);
    perform charle.lock_rows(1, array(select distinct r."id" from public."user" r where true and l."pm_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."user" r, lateral (values (case when true then 'portal_pm:' operator(pg_catalog.||) l."id" end)) s (scope) where true and l."pm_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f1u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t1_a4_s1_gone on public."client";
create trigger zz_charle_t1_a4_s1_gone before delete on public."client" for each row execute function charle.t1_a4_s1();
alter table public."client" enable always trigger zz_charle_t1_a4_s1_gone;
drop trigger if exists zz_charle_t1_a4_s1_from on public."client";
create trigger zz_charle_t1_a4_s1_from before update on public."client" for each row when (old."id" is distinct from new."id" or old."pm_id" is distinct from new."pm_id") execute function charle.t1_a4_s1();
alter table public."client" enable always trigger zz_charle_t1_a4_s1_from;
drop trigger if exists charle_t1_a4_s1_to on public."client";
create trigger charle_t1_a4_s1_to after update on public."client" for each row when (old."id" is distinct from new."id" or old."pm_id" is distinct from new."pm_id") execute function charle.t1_a4_s1();
alter table public."client" enable always trigger charle_t1_a4_s1_to;
drop trigger if exists charle_t1_a4_s1_new on public."client";
create trigger charle_t1_a4_s1_new after insert on public."client" for each row execute function charle.t1_a4_s1();
alter table public."client" enable always trigger charle_t1_a4_s1_new;
create function charle.t1_a4_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 1, 'd'::"char", r."id" from public."user" r, public."client" p1, lateral (values (case when true then 'portal_pm:' operator(pg_catalog.||) p1."id" end)) s (scope) where true and p1."pm_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t1_a4_s1_truncate on public."client";
create trigger charle_t1_a4_s1_truncate before truncate on public."client" for each statement execute function charle.t1_a4_s1_truncate();
alter table public."client" enable always trigger charle_t1_a4_s1_truncate;
insert into charle.gate (tab, bucket) select 12, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(5);
create function charle.t5_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."user_id" operator(pg_catalog.=) old."user_id" and new."key" operator(pg_catalog.=) old."key" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f5u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."key")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."key" operator(pg_catalog.=) old."key" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f5u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."key")::pg_catalog.text
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f5d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."key")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f5u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."key")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f5u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."key")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f5d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."key")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."user_preference";
create trigger charle_log after insert or update or delete on public."user_preference" for each row execute function charle.t5_log();
alter table public."user_preference" enable always trigger charle_log;
drop trigger if exists charle_raise on public."user_preference";
create constraint trigger charle_raise after insert or update or delete on public."user_preference" deferrable initially deferred for each row execute function charle.raise();
alter table public."user_preference" enable always trigger charle_raise;
create function charle.t5_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 5, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."key")::pg_catalog.text from public."user_preference" r where true and r."user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."user_preference";
create trigger charle_truncate before truncate on public."user_preference" for each statement execute function charle.t5_truncate();
alter table public."user_preference" enable always trigger charle_truncate;
select charle.unstamp(11);
create function charle.t11_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1estaff\x1f11u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1estaff\x1f11u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1estaff\x1f11d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1estaff\x1f11u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f11u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f11d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."department";
create trigger charle_log after insert or update or delete on public."department" for each row execute function charle.t11_log();
alter table public."department" enable always trigger charle_log;
drop trigger if exists charle_raise on public."department";
create constraint trigger charle_raise after insert or update or delete on public."department" deferrable initially deferred for each row execute function charle.raise();
alter table public."department" enable always trigger charle_raise;
create function charle.t11_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 11, 'd'::"char", r."id" from public."department" r where true;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."department";
create trigger charle_truncate before truncate on public."department" for each statement execute function charle.t11_truncate();
alter table public."department" enable always trigger charle_truncate;
select charle.unstamp(12);
create function charle.t12_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when true and row(old."id", old."name", old."slug", old."status")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."status")::pg_catalog.record then e'\x1estaff\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) case when true and row(old."id", old."name", old."slug", old."csm_id", old."plan_id", old."status", old."start_date", old."notes", old."hours_override_minutes", old."rag_status", old."rag_note", old."slack_channel_id", old."pm_id", old."archived_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."csm_id", new."plan_id", new."status", new."start_date", new."notes", new."hours_override_minutes", new."rag_status", new."rag_note", new."slack_channel_id", new."pm_id", new."archived_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eleads\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) case when true and row(old."id", old."name", old."slug", old."plan_id", old."status", old."hours_override_minutes", old."cost_override_pence")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."plan_id", new."status", new."hours_override_minutes", new."cost_override_pence")::pg_catalog.record then e'\x1emoney\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."id" operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."name", old."slug", old."csm_id", old."plan_id", old."status", old."start_date", old."hours_override_minutes", old."cost_override_pence", old."pm_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."csm_id", new."plan_id", new."status", new."start_date", new."hours_override_minutes", new."cost_override_pence", new."pm_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."id" operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."name", old."slug", old."status")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."status")::pg_catalog.record then e'\x1estaff\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1estaff\x1f12d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1estaff\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."name", old."slug", old."csm_id", old."plan_id", old."status", old."start_date", old."notes", old."hours_override_minutes", old."rag_status", old."rag_note", old."slack_channel_id", old."pm_id", old."archived_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."csm_id", new."plan_id", new."status", new."start_date", new."notes", new."hours_override_minutes", new."rag_status", new."rag_note", new."slack_channel_id", new."pm_id", new."archived_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eleads\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eleads\x1f12d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."name", old."slug", old."plan_id", old."status", old."hours_override_minutes", old."cost_override_pence")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."plan_id", new."status", new."hours_override_minutes", new."cost_override_pence")::pg_catalog.record then e'\x1emoney\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1emoney\x1f12d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emoney\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eaccount:' operator(pg_catalog.||) new."id" operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."id" operator(pg_catalog.||) e'\x1f12d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."id") operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."name", old."slug", old."csm_id", old."plan_id", old."status", old."start_date", old."hours_override_minutes", old."cost_override_pence", old."pm_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."name", new."slug", new."csm_id", new."plan_id", new."status", new."start_date", new."hours_override_minutes", new."cost_override_pence", new."pm_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."id" operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."id" operator(pg_catalog.||) e'\x1f12d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."id") operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."id") operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."id") operator(pg_catalog.||) e'\x1f12u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f12d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f12d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f12d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."id" operator(pg_catalog.||) e'\x1f12d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."id" operator(pg_catalog.||) e'\x1f12d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client";
create trigger charle_log after insert or update or delete on public."client" for each row execute function charle.t12_log();
alter table public."client" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client";
create constraint trigger charle_raise after insert or update or delete on public."client" deferrable initially deferred for each row execute function charle.raise();
alter table public."client" enable always trigger charle_raise;
create function charle.t12_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 12, 'd'::"char", r."id" from public."client" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 12, 'd'::"char", r."id" from public."client" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'money', 12, 'd'::"char", r."id" from public."client" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."id", 12, 'd'::"char", r."id" from public."client" r where true and r."id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."id", 12, 'd'::"char", r."id" from public."client" r where true and r."id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client";
create trigger charle_truncate before truncate on public."client" for each statement execute function charle.t12_truncate();
alter table public."client" enable always trigger charle_truncate;
select charle.unstamp(6);
create function charle.t6_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1emanagers\x1f6u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."client_id", old."name", old."image", old."status", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."name", new."image", new."status", new."created_at", new."updated_at")::pg_catalog.record then e'\x1epms\x1f6u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1emanagers\x1f6u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1emanagers\x1f6d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."client_id", old."name", old."image", old."status", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."name", new."image", new."status", new."created_at", new."updated_at")::pg_catalog.record then e'\x1epms\x1f6u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1epms\x1f6d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f6d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f6d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f6u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f6d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f6d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f6d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f6d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client_user";
create trigger charle_log after insert or update or delete on public."client_user" for each row execute function charle.t6_log();
alter table public."client_user" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client_user";
create constraint trigger charle_raise after insert or update or delete on public."client_user" deferrable initially deferred for each row execute function charle.raise();
alter table public."client_user" enable always trigger charle_raise;
create function charle.t6_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'managers', 6, 'd'::"char", r."id" from public."client_user" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 6, 'd'::"char", r."id" from public."client_user" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 6, 'd'::"char", r."id" from public."client_user" r where true and r."client_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 6, 'd'::"char", r."id" from public."client_user" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client_user";
create trigger charle_truncate before truncate on public."client_user" for each statement execute function charle.t6_truncate();
alter table public."client_user" enable always trigger charle_truncate;
select charle.unstamp(10);
create function charle.t10_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."client_user_id" operator(pg_catalog.=) old."client_user_id" and new."key" operator(pg_catalog.=) old."key" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eportal_user:' operator(pg_catalog.||) new."client_user_id" operator(pg_catalog.||) e'\x1f10u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_user_id", new."key")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."client_user_id" operator(pg_catalog.=) old."client_user_id" and new."key" operator(pg_catalog.=) old."key" then e'\x1eportal_user:' operator(pg_catalog.||) new."client_user_id" operator(pg_catalog.||) e'\x1f10u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_user_id", new."key")::pg_catalog.text
            else coalesce(e'\x1eportal_user:' operator(pg_catalog.||) old."client_user_id" operator(pg_catalog.||) e'\x1f10d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_user_id", old."key")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1eportal_user:' operator(pg_catalog.||) charle.clean(new."client_user_id") operator(pg_catalog.||) e'\x1f10u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_user_id", new."key")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eportal_user:' operator(pg_catalog.||) charle.clean(new."client_user_id") operator(pg_catalog.||) e'\x1f10u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_user_id", new."key")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eportal_user:' operator(pg_catalog.||) old."client_user_id" operator(pg_catalog.||) e'\x1f10d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_user_id", old."key")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client_user_preference";
create trigger charle_log after insert or update or delete on public."client_user_preference" for each row execute function charle.t10_log();
alter table public."client_user_preference" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client_user_preference";
create constraint trigger charle_raise after insert or update or delete on public."client_user_preference" deferrable initially deferred for each row execute function charle.raise();
alter table public."client_user_preference" enable always trigger charle_raise;
create function charle.t10_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal_user:' operator(pg_catalog.||) r."client_user_id", 10, 'd'::"char", pg_catalog.jsonb_build_array(r."client_user_id", r."key")::pg_catalog.text from public."client_user_preference" r where true and r."client_user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client_user_preference";
create trigger charle_truncate before truncate on public."client_user_preference" for each statement execute function charle.t10_truncate();
alter table public."client_user_preference" enable always trigger charle_truncate;
select charle.unstamp(18);
create function charle.t18_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f18u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."display_id", old."title", old."client_id", old."pm_id", old."target_completion_date", old."status", old."progress_bps", old."description", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."title", new."client_id", new."pm_id", new."target_completion_date", new."status", new."progress_bps", new."description", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f18u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f18d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f18u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f18d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then case when true and row(old."id", old."display_id", old."title", old."client_id", old."pm_id", old."target_completion_date", old."status", old."progress_bps", old."description", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."title", new."client_id", new."pm_id", new."target_completion_date", new."status", new."progress_bps", new."description", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f18d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f18u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f18u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f18d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f18d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f18d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(18, array[new."id"], false);
    for is_in in select distinct s.scope from public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."project_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f18u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."project";
create trigger charle_log after insert or update or delete on public."project" for each row execute function charle.t18_log();
alter table public."project" enable always trigger charle_log;
drop trigger if exists charle_raise on public."project";
create constraint trigger charle_raise after insert or update or delete on public."project" deferrable initially deferred for each row execute function charle.raise();
alter table public."project" enable always trigger charle_raise;
create function charle.t18_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 18, 'd'::"char", r."id" from public."project" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 18, 'd'::"char", r."id" from public."project" r where true and r."client_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 18, 'd'::"char", r."id" from public."project" r, public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."project_id" = r."id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 18, 'd'::"char", r."id" from public."project" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."project";
create trigger charle_truncate before truncate on public."project" for each statement execute function charle.t18_truncate();
alter table public."project" enable always trigger charle_truncate;
create function charle.t18_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(18, array[old."id"], false);
    for is_in in select distinct s.scope from public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."project_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f18d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."project";
create trigger zz_charle_leave before update or delete on public."project" for each row execute function charle.t18_leave();
alter table public."project" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 18, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t18_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(20, array[l."id"], true);
    perform charle.lock_rows(18, array(select distinct r."id" from public."project" r where true and l."project_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."project" r, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."assignee_id" end)) s (scope) where true and l."project_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f18u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t18_a2_s1_gone on public."project_task";
create trigger zz_charle_t18_a2_s1_gone before delete on public."project_task" for each row execute function charle.t18_a2_s1();
alter table public."project_task" enable always trigger zz_charle_t18_a2_s1_gone;
drop trigger if exists zz_charle_t18_a2_s1_from on public."project_task";
create trigger zz_charle_t18_a2_s1_from before update on public."project_task" for each row when (old."project_id" is distinct from new."project_id" or old."assignee_id" is distinct from new."assignee_id") execute function charle.t18_a2_s1();
alter table public."project_task" enable always trigger zz_charle_t18_a2_s1_from;
drop trigger if exists charle_t18_a2_s1_to on public."project_task";
create trigger charle_t18_a2_s1_to after update on public."project_task" for each row when (old."project_id" is distinct from new."project_id" or old."assignee_id" is distinct from new."assignee_id") execute function charle.t18_a2_s1();
alter table public."project_task" enable always trigger charle_t18_a2_s1_to;
drop trigger if exists charle_t18_a2_s1_new on public."project_task";
create trigger charle_t18_a2_s1_new after insert on public."project_task" for each row execute function charle.t18_a2_s1();
alter table public."project_task" enable always trigger charle_t18_a2_s1_new;
create function charle.t18_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 18, 'd'::"char", r."id" from public."project" r, public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."project_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t18_a2_s1_truncate on public."project_task";
create trigger charle_t18_a2_s1_truncate before truncate on public."project_task" for each statement execute function charle.t18_a2_s1_truncate();
alter table public."project_task" enable always trigger charle_t18_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 20, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(19);
create function charle.t19_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f19u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f19u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f19d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f19u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f19u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f19d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(19, array[new."id"], false);
    perform charle.lock_rows(18, array(select distinct p1."id" from public."project" p1 where true and p1."id" = new."project_id"), false);
    for is_in in select distinct s.scope from public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f19u\x1f' || new."id";
    end loop;
    perform charle.lock_rows(19, array[new."id"], false);
    for is_in in select distinct s.scope from public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."phase_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f19u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."project_phase";
create trigger charle_log after insert or update or delete on public."project_phase" for each row execute function charle.t19_log();
alter table public."project_phase" enable always trigger charle_log;
drop trigger if exists charle_raise on public."project_phase";
create constraint trigger charle_raise after insert or update or delete on public."project_phase" deferrable initially deferred for each row execute function charle.raise();
alter table public."project_phase" enable always trigger charle_raise;
create function charle.t19_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 19, 'd'::"char", r."id" from public."project_phase" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 19, 'd'::"char", r."id" from public."project_phase" r, public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."project_id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 19, 'd'::"char", r."id" from public."project_phase" r, public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."phase_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."project_phase";
create trigger charle_truncate before truncate on public."project_phase" for each statement execute function charle.t19_truncate();
alter table public."project_phase" enable always trigger charle_truncate;
create function charle.t19_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."project_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."project_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(19, array[old."id"], false);
    perform charle.lock_rows(18, array(select distinct p1."id" from public."project" p1 where true and p1."id" = old."project_id"), false);
    for is_in in select distinct s.scope from public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f19d\x1f' || old."id";
    end loop;
    perform charle.lock_rows(19, array[old."id"], false);
    for is_in in select distinct s.scope from public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."phase_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f19d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."project_phase";
create trigger zz_charle_leave before update or delete on public."project_phase" for each row execute function charle.t19_leave();
alter table public."project_phase" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 19, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t19_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(18, array[l."id"], true);
    perform charle.lock_rows(19, array(select distinct r."id" from public."project_phase" r where true and l."id" = r."project_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."project_phase" r, lateral (values (case when true then 'account:' operator(pg_catalog.||) l."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f19u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t19_a1_s1_gone on public."project";
create trigger zz_charle_t19_a1_s1_gone before delete on public."project" for each row execute function charle.t19_a1_s1();
alter table public."project" enable always trigger zz_charle_t19_a1_s1_gone;
drop trigger if exists zz_charle_t19_a1_s1_from on public."project";
create trigger zz_charle_t19_a1_s1_from before update on public."project" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t19_a1_s1();
alter table public."project" enable always trigger zz_charle_t19_a1_s1_from;
drop trigger if exists charle_t19_a1_s1_to on public."project";
create trigger charle_t19_a1_s1_to after update on public."project" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t19_a1_s1();
alter table public."project" enable always trigger charle_t19_a1_s1_to;
create function charle.t19_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 19, 'd'::"char", r."id" from public."project_phase" r, public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."project_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t19_a1_s1_truncate on public."project";
create trigger charle_t19_a1_s1_truncate before truncate on public."project" for each statement execute function charle.t19_a1_s1_truncate();
alter table public."project" enable always trigger charle_t19_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 18, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t19_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(20, array[l."id"], true);
    perform charle.lock_rows(19, array(select distinct r."id" from public."project_phase" r where true and l."phase_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."project_phase" r, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."assignee_id" end)) s (scope) where true and l."phase_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f19u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t19_a2_s1_gone on public."project_task";
create trigger zz_charle_t19_a2_s1_gone before delete on public."project_task" for each row execute function charle.t19_a2_s1();
alter table public."project_task" enable always trigger zz_charle_t19_a2_s1_gone;
drop trigger if exists zz_charle_t19_a2_s1_from on public."project_task";
create trigger zz_charle_t19_a2_s1_from before update on public."project_task" for each row when (old."phase_id" is distinct from new."phase_id" or old."assignee_id" is distinct from new."assignee_id") execute function charle.t19_a2_s1();
alter table public."project_task" enable always trigger zz_charle_t19_a2_s1_from;
drop trigger if exists charle_t19_a2_s1_to on public."project_task";
create trigger charle_t19_a2_s1_to after update on public."project_task" for each row when (old."phase_id" is distinct from new."phase_id" or old."assignee_id" is distinct from new."assignee_id") execute function charle.t19_a2_s1();
alter table public."project_task" enable always trigger charle_t19_a2_s1_to;
drop trigger if exists charle_t19_a2_s1_new on public."project_task";
create trigger charle_t19_a2_s1_new after insert on public."project_task" for each row execute function charle.t19_a2_s1();
alter table public."project_task" enable always trigger charle_t19_a2_s1_new;
create function charle.t19_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 19, 'd'::"char", r."id" from public."project_phase" r, public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."phase_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t19_a2_s1_truncate on public."project_task";
create trigger charle_t19_a2_s1_truncate before truncate on public."project_task" for each statement execute function charle.t19_a2_s1_truncate();
alter table public."project_task" enable always trigger charle_t19_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 20, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(20);
create function charle.t20_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."assignee_id" operator(pg_catalog.=) old."assignee_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f20u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."assignee_id" operator(pg_catalog.||) e'\x1f20u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f20u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f20d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f20u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."assignee_id" operator(pg_catalog.=) old."assignee_id" then e'\x1euser:' operator(pg_catalog.||) new."assignee_id" operator(pg_catalog.||) e'\x1f20u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."assignee_id" operator(pg_catalog.||) e'\x1f20d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."assignee_id") operator(pg_catalog.||) e'\x1f20u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f20u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."assignee_id") operator(pg_catalog.||) e'\x1f20u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f20d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."assignee_id" operator(pg_catalog.||) e'\x1f20d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(20, array[new."id"], false);
    perform charle.lock_rows(18, array(select distinct p1."id" from public."project" p1 where true and p1."id" = new."project_id"), false);
    for is_in in select distinct s.scope from public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f20u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."project_task";
create trigger charle_log after insert or update or delete on public."project_task" for each row execute function charle.t20_log();
alter table public."project_task" enable always trigger charle_log;
drop trigger if exists charle_raise on public."project_task";
create constraint trigger charle_raise after insert or update or delete on public."project_task" deferrable initially deferred for each row execute function charle.raise();
alter table public."project_task" enable always trigger charle_raise;
create function charle.t20_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 20, 'd'::"char", r."id" from public."project_task" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 20, 'd'::"char", r."id" from public."project_task" r, public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."project_id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."assignee_id", 20, 'd'::"char", r."id" from public."project_task" r where true and r."assignee_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."project_task";
create trigger charle_truncate before truncate on public."project_task" for each statement execute function charle.t20_truncate();
alter table public."project_task" enable always trigger charle_truncate;
create function charle.t20_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."project_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."project_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(20, array[old."id"], false);
    perform charle.lock_rows(18, array(select distinct p1."id" from public."project" p1 where true and p1."id" = old."project_id"), false);
    for is_in in select distinct s.scope from public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f20d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."project_task";
create trigger zz_charle_leave before update or delete on public."project_task" for each row execute function charle.t20_leave();
alter table public."project_task" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 20, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t20_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(18, array[l."id"], true);
    perform charle.lock_rows(20, array(select distinct r."id" from public."project_task" r where true and l."id" = r."project_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."project_task" r, lateral (values (case when true then 'account:' operator(pg_catalog.||) l."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f20u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t20_a1_s1_gone on public."project";
create trigger zz_charle_t20_a1_s1_gone before delete on public."project" for each row execute function charle.t20_a1_s1();
alter table public."project" enable always trigger zz_charle_t20_a1_s1_gone;
drop trigger if exists zz_charle_t20_a1_s1_from on public."project";
create trigger zz_charle_t20_a1_s1_from before update on public."project" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t20_a1_s1();
alter table public."project" enable always trigger zz_charle_t20_a1_s1_from;
drop trigger if exists charle_t20_a1_s1_to on public."project";
create trigger charle_t20_a1_s1_to after update on public."project" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t20_a1_s1();
alter table public."project" enable always trigger charle_t20_a1_s1_to;
create function charle.t20_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 20, 'd'::"char", r."id" from public."project_task" r, public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."project_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t20_a1_s1_truncate on public."project";
create trigger charle_t20_a1_s1_truncate before truncate on public."project" for each statement execute function charle.t20_a1_s1_truncate();
alter table public."project" enable always trigger charle_t20_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 18, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(21);
create function charle.t21_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f21u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f21u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f21d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f21u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f21u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f21d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(21, array[new."id"], false);
    perform charle.lock_rows(18, array(select distinct p1."id" from public."project" p1 where true and p1."id" = new."project_id"), false);
    for is_in in select distinct s.scope from public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f21u\x1f' || new."id";
    end loop;
    perform charle.lock_rows(21, array[new."id"], false);
    perform charle.lock_rows(20, array(select distinct p1."id" from public."project_task" p1 where true and p1."id" = new."project_task_id"), false);
    for is_in in select distinct s.scope from public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = new."project_task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f21u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."project_sign_off";
create trigger charle_log after insert or update or delete on public."project_sign_off" for each row execute function charle.t21_log();
alter table public."project_sign_off" enable always trigger charle_log;
drop trigger if exists charle_raise on public."project_sign_off";
create constraint trigger charle_raise after insert or update or delete on public."project_sign_off" deferrable initially deferred for each row execute function charle.raise();
alter table public."project_sign_off" enable always trigger charle_raise;
create function charle.t21_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 21, 'd'::"char", r."id" from public."project_sign_off" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 21, 'd'::"char", r."id" from public."project_sign_off" r, public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."project_id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 21, 'd'::"char", r."id" from public."project_sign_off" r, public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = r."project_task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."project_sign_off";
create trigger charle_truncate before truncate on public."project_sign_off" for each statement execute function charle.t21_truncate();
alter table public."project_sign_off" enable always trigger charle_truncate;
create function charle.t21_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."project_id", old."project_task_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."project_id", new."project_task_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(21, array[old."id"], false);
    perform charle.lock_rows(18, array(select distinct p1."id" from public."project" p1 where true and p1."id" = old."project_id"), false);
    for is_in in select distinct s.scope from public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f21d\x1f' || old."id";
    end loop;
    perform charle.lock_rows(21, array[old."id"], false);
    perform charle.lock_rows(20, array(select distinct p1."id" from public."project_task" p1 where true and p1."id" = old."project_task_id"), false);
    for is_in in select distinct s.scope from public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = old."project_task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f21d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."project_sign_off";
create trigger zz_charle_leave before update or delete on public."project_sign_off" for each row execute function charle.t21_leave();
alter table public."project_sign_off" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 21, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t21_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(18, array[l."id"], true);
    perform charle.lock_rows(21, array(select distinct r."id" from public."project_sign_off" r where true and l."id" = r."project_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."project_sign_off" r, lateral (values (case when true then 'account:' operator(pg_catalog.||) l."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."project_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f21u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t21_a1_s1_gone on public."project";
create trigger zz_charle_t21_a1_s1_gone before delete on public."project" for each row execute function charle.t21_a1_s1();
alter table public."project" enable always trigger zz_charle_t21_a1_s1_gone;
drop trigger if exists zz_charle_t21_a1_s1_from on public."project";
create trigger zz_charle_t21_a1_s1_from before update on public."project" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t21_a1_s1();
alter table public."project" enable always trigger zz_charle_t21_a1_s1_from;
drop trigger if exists charle_t21_a1_s1_to on public."project";
create trigger charle_t21_a1_s1_to after update on public."project" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t21_a1_s1();
alter table public."project" enable always trigger charle_t21_a1_s1_to;
create function charle.t21_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 21, 'd'::"char", r."id" from public."project_sign_off" r, public."project" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."project_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t21_a1_s1_truncate on public."project";
create trigger charle_t21_a1_s1_truncate before truncate on public."project" for each statement execute function charle.t21_a1_s1_truncate();
alter table public."project" enable always trigger charle_t21_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 18, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t21_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(20, array[l."id"], true);
    perform charle.lock_rows(21, array(select distinct r."id" from public."project_sign_off" r where true and l."id" = r."project_task_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."project_sign_off" r, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."assignee_id" end)) s (scope) where true and l."id" = r."project_task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f21u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t21_a2_s1_gone on public."project_task";
create trigger zz_charle_t21_a2_s1_gone before delete on public."project_task" for each row execute function charle.t21_a2_s1();
alter table public."project_task" enable always trigger zz_charle_t21_a2_s1_gone;
drop trigger if exists zz_charle_t21_a2_s1_from on public."project_task";
create trigger zz_charle_t21_a2_s1_from before update on public."project_task" for each row when (old."assignee_id" is distinct from new."assignee_id") execute function charle.t21_a2_s1();
alter table public."project_task" enable always trigger zz_charle_t21_a2_s1_from;
drop trigger if exists charle_t21_a2_s1_to on public."project_task";
create trigger charle_t21_a2_s1_to after update on public."project_task" for each row when (old."assignee_id" is distinct from new."assignee_id") execute function charle.t21_a2_s1();
alter table public."project_task" enable always trigger charle_t21_a2_s1_to;
create function charle.t21_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 21, 'd'::"char", r."id" from public."project_sign_off" r, public."project_task" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = r."project_task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t21_a2_s1_truncate on public."project_task";
create trigger charle_t21_a2_s1_truncate before truncate on public."project_task" for each statement execute function charle.t21_a2_s1_truncate();
alter table public."project_task" enable always trigger charle_t21_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 20, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(22);
create function charle.t22_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) and coalesce((new.subject_type in ('quote', 'project', 'project_task')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('quote', 'project', 'project_task')), false) and new."author_user_id" operator(pg_catalog.=) old."author_user_id" and new."client_id" operator(pg_catalog.=) old."client_id" and coalesce((new.visibility = 'client'), false) operator(pg_catalog.=) coalesce((old.visibility = 'client'), false) then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f22u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f22u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."author_user_id" operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when (new.visibility = 'client') and row(old."id", old."subject_type", old."subject_id", old."client_id", old."visibility", old."author_user_id", old."author_client_user_id", old."body", old."parent_comment_id", old."edited_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."subject_type", new."subject_id", new."client_id", new."visibility", new."author_user_id", new."author_client_user_id", new."body", new."parent_comment_id", new."edited_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) then case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f22u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f22d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('quote', 'project', 'project_task')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('quote', 'project', 'project_task')), false) then case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f22u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f22d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."author_user_id" operator(pg_catalog.=) old."author_user_id" then e'\x1euser:' operator(pg_catalog.||) new."author_user_id" operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."author_user_id" operator(pg_catalog.||) e'\x1f22d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."author_user_id") operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and coalesce((new.visibility = 'client'), false) operator(pg_catalog.=) coalesce((old.visibility = 'client'), false) then case when (new.visibility = 'client') and row(old."id", old."subject_type", old."subject_id", old."client_id", old."visibility", old."author_user_id", old."author_client_user_id", old."body", old."parent_comment_id", old."edited_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."subject_type", new."subject_id", new."client_id", new."visibility", new."author_user_id", new."author_client_user_id", new."body", new."parent_comment_id", new."edited_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f22d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."author_user_id") operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(case when (new.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f22u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (old.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f22d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(case when (old.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f22d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."author_user_id" operator(pg_catalog.||) e'\x1f22d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(case when (old.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f22d\x1f' operator(pg_catalog.||) old."id" end, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."comment";
create trigger charle_log after insert or update or delete on public."comment" for each row execute function charle.t22_log();
alter table public."comment" enable always trigger charle_log;
drop trigger if exists charle_raise on public."comment";
create constraint trigger charle_raise after insert or update or delete on public."comment" deferrable initially deferred for each row execute function charle.raise();
alter table public."comment" enable always trigger charle_raise;
create function charle.t22_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 22, 'd'::"char", r."id" from public."comment" r where (r.subject_type in ('task', 'subtask', 'help_desk_ticket'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 22, 'd'::"char", r."id" from public."comment" r where (r.subject_type in ('quote', 'project', 'project_task'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."author_user_id", 22, 'd'::"char", r."id" from public."comment" r where true and r."author_user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 22, 'd'::"char", r."id" from public."comment" r where (r.visibility = 'client') and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."comment";
create trigger charle_truncate before truncate on public."comment" for each statement execute function charle.t22_truncate();
alter table public."comment" enable always trigger charle_truncate;
select charle.unstamp(23);
create function charle.t23_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) and coalesce((new.subject_type in ('quote', 'project', 'project_task')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('quote', 'project', 'project_task')), false) and new."uploaded_by_user_id" operator(pg_catalog.=) old."uploaded_by_user_id" and new."client_id" operator(pg_catalog.=) old."client_id" and coalesce((new.visibility = 'client'), false) operator(pg_catalog.=) coalesce((old.visibility = 'client'), false) then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f23u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f23u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."uploaded_by_user_id" operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when (new.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('task', 'subtask', 'help_desk_ticket')), false) then case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f23u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f23d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('quote', 'project', 'project_task')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('quote', 'project', 'project_task')), false) then case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f23u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f23d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."uploaded_by_user_id" operator(pg_catalog.=) old."uploaded_by_user_id" then e'\x1euser:' operator(pg_catalog.||) new."uploaded_by_user_id" operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."uploaded_by_user_id" operator(pg_catalog.||) e'\x1f23d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."uploaded_by_user_id") operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and coalesce((new.visibility = 'client'), false) operator(pg_catalog.=) coalesce((old.visibility = 'client'), false) then case when (new.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f23d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (new.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(case when (new.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."uploaded_by_user_id") operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(case when (new.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f23u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (old.subject_type in ('task', 'subtask', 'help_desk_ticket')) then e'\x1eteam\x1f23d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(case when (old.subject_type in ('quote', 'project', 'project_task')) then e'\x1eleads\x1f23d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."uploaded_by_user_id" operator(pg_catalog.||) e'\x1f23d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(case when (old.visibility = 'client') then e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f23d\x1f' operator(pg_catalog.||) old."id" end, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."attachment";
create trigger charle_log after insert or update or delete on public."attachment" for each row execute function charle.t23_log();
alter table public."attachment" enable always trigger charle_log;
drop trigger if exists charle_raise on public."attachment";
create constraint trigger charle_raise after insert or update or delete on public."attachment" deferrable initially deferred for each row execute function charle.raise();
alter table public."attachment" enable always trigger charle_raise;
create function charle.t23_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 23, 'd'::"char", r."id" from public."attachment" r where (r.subject_type in ('task', 'subtask', 'help_desk_ticket'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 23, 'd'::"char", r."id" from public."attachment" r where (r.subject_type in ('quote', 'project', 'project_task'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."uploaded_by_user_id", 23, 'd'::"char", r."id" from public."attachment" r where true and r."uploaded_by_user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 23, 'd'::"char", r."id" from public."attachment" r where (r.visibility = 'client') and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."attachment";
create trigger charle_truncate before truncate on public."attachment" for each statement execute function charle.t23_truncate();
alter table public."attachment" enable always trigger charle_truncate;
select charle.unstamp(27);
create function charle.t27_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."assignee_id" operator(pg_catalog.=) old."assignee_id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f27u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."assignee_id" operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."client_id", old."month", old."type", old."round", old."start_date", old."end_date", old."status", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."month", new."type", new."round", new."start_date", new."end_date", new."status", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eleads\x1f27u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eleads\x1f27d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f27u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."assignee_id" operator(pg_catalog.=) old."assignee_id" then e'\x1euser:' operator(pg_catalog.||) new."assignee_id" operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."assignee_id" operator(pg_catalog.||) e'\x1f27d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."assignee_id") operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then case when true and row(old."id", old."client_id", old."month", old."type", old."round", old."start_date", old."end_date", old."status", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."month", new."type", new."round", new."start_date", new."end_date", new."status", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f27d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f27u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."assignee_id") operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f27u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f27d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."assignee_id" operator(pg_catalog.||) e'\x1f27d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f27d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(27, array[new."id"], false);
    for is_in in select distinct s.scope from public."subtask" p1, lateral (values (case when true then 'work:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."block_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f27u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."block";
create trigger charle_log after insert or update or delete on public."block" for each row execute function charle.t27_log();
alter table public."block" enable always trigger charle_log;
drop trigger if exists charle_raise on public."block";
create constraint trigger charle_raise after insert or update or delete on public."block" deferrable initially deferred for each row execute function charle.raise();
alter table public."block" enable always trigger charle_raise;
create function charle.t27_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 27, 'd'::"char", r."id" from public."block" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."assignee_id", 27, 'd'::"char", r."id" from public."block" r where true and r."assignee_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 27, 'd'::"char", r."id" from public."block" r, public."subtask" p1, lateral (values (case when true then 'work:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."block_id" = r."id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 27, 'd'::"char", r."id" from public."block" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."block";
create trigger charle_truncate before truncate on public."block" for each statement execute function charle.t27_truncate();
alter table public."block" enable always trigger charle_truncate;
create function charle.t27_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(27, array[old."id"], false);
    for is_in in select distinct s.scope from public."subtask" p1, lateral (values (case when true then 'work:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."block_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f27d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."block";
create trigger zz_charle_leave before update or delete on public."block" for each row execute function charle.t27_leave();
alter table public."block" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 27, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t27_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(25, array[l."id"], true);
    perform charle.lock_rows(27, array(select distinct r."id" from public."block" r where true and l."block_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."block" r, lateral (values (case when true then 'work:' operator(pg_catalog.||) l."assignee_id" end)) s (scope) where true and l."block_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f27u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t27_a2_s1_gone on public."subtask";
create trigger zz_charle_t27_a2_s1_gone before delete on public."subtask" for each row execute function charle.t27_a2_s1();
alter table public."subtask" enable always trigger zz_charle_t27_a2_s1_gone;
drop trigger if exists zz_charle_t27_a2_s1_from on public."subtask";
create trigger zz_charle_t27_a2_s1_from before update on public."subtask" for each row when (old."assignee_id" is distinct from new."assignee_id" or old."block_id" is distinct from new."block_id") execute function charle.t27_a2_s1();
alter table public."subtask" enable always trigger zz_charle_t27_a2_s1_from;
drop trigger if exists charle_t27_a2_s1_to on public."subtask";
create trigger charle_t27_a2_s1_to after update on public."subtask" for each row when (old."assignee_id" is distinct from new."assignee_id" or old."block_id" is distinct from new."block_id") execute function charle.t27_a2_s1();
alter table public."subtask" enable always trigger charle_t27_a2_s1_to;
drop trigger if exists charle_t27_a2_s1_new on public."subtask";
create trigger charle_t27_a2_s1_new after insert on public."subtask" for each row execute function charle.t27_a2_s1();
alter table public."subtask" enable always trigger charle_t27_a2_s1_new;
create function charle.t27_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 27, 'd'::"char", r."id" from public."block" r, public."subtask" p1, lateral (values (case when true then 'work:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."block_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t27_a2_s1_truncate on public."subtask";
create trigger charle_t27_a2_s1_truncate before truncate on public."subtask" for each statement execute function charle.t27_a2_s1_truncate();
alter table public."subtask" enable always trigger charle_t27_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 25, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(31);
create function charle.t31_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1estaff\x1f31u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1estaff\x1f31u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1estaff\x1f31d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1estaff\x1f31u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f31u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1estaff\x1f31d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."capacity_rule";
create trigger charle_log after insert or update or delete on public."capacity_rule" for each row execute function charle.t31_log();
alter table public."capacity_rule" enable always trigger charle_log;
drop trigger if exists charle_raise on public."capacity_rule";
create constraint trigger charle_raise after insert or update or delete on public."capacity_rule" deferrable initially deferred for each row execute function charle.raise();
alter table public."capacity_rule" enable always trigger charle_raise;
create function charle.t31_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 31, 'd'::"char", r."id" from public."capacity_rule" r where true;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."capacity_rule";
create trigger charle_truncate before truncate on public."capacity_rule" for each statement execute function charle.t31_truncate();
alter table public."capacity_rule" enable always trigger charle_truncate;
select charle.unstamp(33);
create function charle.t33_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1emoney\x1f33u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f33u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1emoney\x1f33u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1emoney\x1f33d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emoney\x1f33u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f33u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f33d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f33u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f33u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f33u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f33d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f33d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client_plan_change";
create trigger charle_log after insert or update or delete on public."client_plan_change" for each row execute function charle.t33_log();
alter table public."client_plan_change" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client_plan_change";
create constraint trigger charle_raise after insert or update or delete on public."client_plan_change" deferrable initially deferred for each row execute function charle.raise();
alter table public."client_plan_change" enable always trigger charle_raise;
create function charle.t33_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'money', 33, 'd'::"char", r."id" from public."client_plan_change" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 33, 'd'::"char", r."id" from public."client_plan_change" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client_plan_change";
create trigger charle_truncate before truncate on public."client_plan_change" for each statement execute function charle.t33_truncate();
alter table public."client_plan_change" enable always trigger charle_truncate;
select charle.unstamp(34);
create function charle.t34_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when true and row(old."id", old."client_id", old."month", old."plan_id", old."gross_minutes", old."pm_deduction_minutes", old."allocated_minutes", old."rollover_in_minutes", old."logged_minutes", old."billable_minutes", old."remaining_minutes", old."banked_minutes", old."overage_minutes", old."help_desk_minutes", old."status", old."closed_at", old."closed_by_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."month", new."plan_id", new."gross_minutes", new."pm_deduction_minutes", new."allocated_minutes", new."rollover_in_minutes", new."logged_minutes", new."billable_minutes", new."remaining_minutes", new."banked_minutes", new."overage_minutes", new."help_desk_minutes", new."status", new."closed_at", new."closed_by_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1epms\x1f34u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1emoney\x1f34u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."client_id", old."month", old."allocated_minutes", old."rollover_in_minutes", old."billable_minutes", old."remaining_minutes", old."help_desk_minutes", old."status", old."closed_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."month", new."allocated_minutes", new."rollover_in_minutes", new."billable_minutes", new."remaining_minutes", new."help_desk_minutes", new."status", new."closed_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."client_id", old."month", old."plan_id", old."gross_minutes", old."pm_deduction_minutes", old."allocated_minutes", old."rollover_in_minutes", old."logged_minutes", old."billable_minutes", old."remaining_minutes", old."banked_minutes", old."overage_minutes", old."help_desk_minutes", old."status", old."closed_at", old."closed_by_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."month", new."plan_id", new."gross_minutes", new."pm_deduction_minutes", new."allocated_minutes", new."rollover_in_minutes", new."logged_minutes", new."billable_minutes", new."remaining_minutes", new."banked_minutes", new."overage_minutes", new."help_desk_minutes", new."status", new."closed_at", new."closed_by_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1epms\x1f34u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1epms\x1f34d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1emoney\x1f34u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1emoney\x1f34d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emoney\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f34d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then case when true and row(old."id", old."client_id", old."month", old."allocated_minutes", old."rollover_in_minutes", old."billable_minutes", old."remaining_minutes", old."help_desk_minutes", old."status", old."closed_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_id", new."month", new."allocated_minutes", new."rollover_in_minutes", new."billable_minutes", new."remaining_minutes", new."help_desk_minutes", new."status", new."closed_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f34d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f34u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f34d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f34d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f34d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f34d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client_period";
create trigger charle_log after insert or update or delete on public."client_period" for each row execute function charle.t34_log();
alter table public."client_period" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client_period";
create constraint trigger charle_raise after insert or update or delete on public."client_period" deferrable initially deferred for each row execute function charle.raise();
alter table public."client_period" enable always trigger charle_raise;
create function charle.t34_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 34, 'd'::"char", r."id" from public."client_period" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'money', 34, 'd'::"char", r."id" from public."client_period" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 34, 'd'::"char", r."id" from public."client_period" r where true and r."client_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 34, 'd'::"char", r."id" from public."client_period" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client_period";
create trigger charle_truncate before truncate on public."client_period" for each statement execute function charle.t34_truncate();
alter table public."client_period" enable always trigger charle_truncate;
select charle.unstamp(35);
create function charle.t35_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f35u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f35u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f35d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f35u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f35u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f35d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(35, array[new."id"], false);
    perform charle.lock_rows(34, array(select distinct p1."id" from public."client_period" p1 where true and p1."id" = new."client_period_id"), false);
    for is_in in select distinct s.scope from public."client_period" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."client_period_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f35u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."period_adjustment";
create trigger charle_log after insert or update or delete on public."period_adjustment" for each row execute function charle.t35_log();
alter table public."period_adjustment" enable always trigger charle_log;
drop trigger if exists charle_raise on public."period_adjustment";
create constraint trigger charle_raise after insert or update or delete on public."period_adjustment" deferrable initially deferred for each row execute function charle.raise();
alter table public."period_adjustment" enable always trigger charle_raise;
create function charle.t35_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 35, 'd'::"char", r."id" from public."period_adjustment" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 35, 'd'::"char", r."id" from public."period_adjustment" r, public."client_period" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."client_period_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."period_adjustment";
create trigger charle_truncate before truncate on public."period_adjustment" for each statement execute function charle.t35_truncate();
alter table public."period_adjustment" enable always trigger charle_truncate;
create function charle.t35_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."client_period_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."client_period_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(35, array[old."id"], false);
    perform charle.lock_rows(34, array(select distinct p1."id" from public."client_period" p1 where true and p1."id" = old."client_period_id"), false);
    for is_in in select distinct s.scope from public."client_period" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."client_period_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f35d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."period_adjustment";
create trigger zz_charle_leave before update or delete on public."period_adjustment" for each row execute function charle.t35_leave();
alter table public."period_adjustment" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 35, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t35_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(34, array[l."id"], true);
    perform charle.lock_rows(35, array(select distinct r."id" from public."period_adjustment" r where true and l."id" = r."client_period_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."period_adjustment" r, lateral (values (case when true then 'account:' operator(pg_catalog.||) l."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."client_period_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f35u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t35_a1_s1_gone on public."client_period";
create trigger zz_charle_t35_a1_s1_gone before delete on public."client_period" for each row execute function charle.t35_a1_s1();
alter table public."client_period" enable always trigger zz_charle_t35_a1_s1_gone;
drop trigger if exists zz_charle_t35_a1_s1_from on public."client_period";
create trigger zz_charle_t35_a1_s1_from before update on public."client_period" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t35_a1_s1();
alter table public."client_period" enable always trigger zz_charle_t35_a1_s1_from;
drop trigger if exists charle_t35_a1_s1_to on public."client_period";
create trigger charle_t35_a1_s1_to after update on public."client_period" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t35_a1_s1();
alter table public."client_period" enable always trigger charle_t35_a1_s1_to;
create function charle.t35_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 35, 'd'::"char", r."id" from public."period_adjustment" r, public."client_period" p1, lateral (values (case when true then 'account:' operator(pg_catalog.||) p1."client_id" end), (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."client_period_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t35_a1_s1_truncate on public."client_period";
create trigger charle_t35_a1_s1_truncate before truncate on public."client_period" for each statement execute function charle.t35_a1_s1_truncate();
alter table public."client_period" enable always trigger charle_t35_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 34, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(37);
create function charle.t37_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."client_id" operator(pg_catalog.=) old."client_id" and new."month" operator(pg_catalog.=) old."month" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1emoney\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."client_id" operator(pg_catalog.=) old."client_id" and new."month" operator(pg_catalog.=) old."month" then e'\x1emoney\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text
            else coalesce(e'\x1emoney\x1f37d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."month")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1emoney\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."client_id" operator(pg_catalog.=) old."client_id" and new."month" operator(pg_catalog.=) old."month" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f37d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."month")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f37u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."month")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emoney\x1f37d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."month")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f37d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."month")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client_metric";
create trigger charle_log after insert or update or delete on public."client_metric" for each row execute function charle.t37_log();
alter table public."client_metric" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client_metric";
create constraint trigger charle_raise after insert or update or delete on public."client_metric" deferrable initially deferred for each row execute function charle.raise();
alter table public."client_metric" enable always trigger charle_raise;
create function charle.t37_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'money', 37, 'd'::"char", pg_catalog.jsonb_build_array(r."client_id", r."month")::pg_catalog.text from public."client_metric" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 37, 'd'::"char", pg_catalog.jsonb_build_array(r."client_id", r."month")::pg_catalog.text from public."client_metric" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client_metric";
create trigger charle_truncate before truncate on public."client_metric" for each statement execute function charle.t37_truncate();
alter table public."client_metric" enable always trigger charle_truncate;
select charle.unstamp(38);
create function charle.t38_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."user_id" operator(pg_catalog.=) old."user_id" and new."month" operator(pg_catalog.=) old."month" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text
            operator(pg_catalog.||) e'\x1emanagers\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text
            operator(pg_catalog.||) case when true and row(old."user_id", old."month", old."working_days", old."leave_half_days", old."available_minutes", old."logged_minutes", old."billable_minutes", old."utilisation_bps")::pg_catalog.record operator(pg_catalog.*<>) row(new."user_id", new."month", new."working_days", new."leave_half_days", new."available_minutes", new."logged_minutes", new."billable_minutes", new."utilisation_bps")::pg_catalog.record then e'\x1epms\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."month" operator(pg_catalog.=) old."month" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f38d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."month")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."month" operator(pg_catalog.=) old."month" then e'\x1emanagers\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text
            else coalesce(e'\x1emanagers\x1f38d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."month")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."month" operator(pg_catalog.=) old."month" then case when true and row(old."user_id", old."month", old."working_days", old."leave_half_days", old."available_minutes", old."logged_minutes", old."billable_minutes", old."utilisation_bps")::pg_catalog.record operator(pg_catalog.*<>) row(new."user_id", new."month", new."working_days", new."leave_half_days", new."available_minutes", new."logged_minutes", new."billable_minutes", new."utilisation_bps")::pg_catalog.record then e'\x1epms\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text else '' end
            else coalesce(e'\x1epms\x1f38d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."month")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f38u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."month")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f38d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."month")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f38d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."month")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f38d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."month")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."user_metric";
create trigger charle_log after insert or update or delete on public."user_metric" for each row execute function charle.t38_log();
alter table public."user_metric" enable always trigger charle_log;
drop trigger if exists charle_raise on public."user_metric";
create constraint trigger charle_raise after insert or update or delete on public."user_metric" deferrable initially deferred for each row execute function charle.raise();
alter table public."user_metric" enable always trigger charle_raise;
create function charle.t38_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 38, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."month")::pg_catalog.text from public."user_metric" r where true and r."user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'managers', 38, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."month")::pg_catalog.text from public."user_metric" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 38, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."month")::pg_catalog.text from public."user_metric" r where true;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."user_metric";
create trigger charle_truncate before truncate on public."user_metric" for each statement execute function charle.t38_truncate();
alter table public."user_metric" enable always trigger charle_truncate;
select charle.unstamp(40);
create function charle.t40_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."client_id" operator(pg_catalog.=) old."client_id" and new."kind" operator(pg_catalog.=) old."kind" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."client_id" operator(pg_catalog.=) old."client_id" and new."kind" operator(pg_catalog.=) old."kind" then e'\x1epms\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text
            else coalesce(e'\x1epms\x1f40d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."kind")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."client_id" operator(pg_catalog.=) old."client_id" and new."kind" operator(pg_catalog.=) old."kind" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f40d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."kind")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f40u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."client_id", new."kind")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f40d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."kind")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f40d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."client_id", old."kind")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."client_score";
create trigger charle_log after insert or update or delete on public."client_score" for each row execute function charle.t40_log();
alter table public."client_score" enable always trigger charle_log;
drop trigger if exists charle_raise on public."client_score";
create constraint trigger charle_raise after insert or update or delete on public."client_score" deferrable initially deferred for each row execute function charle.raise();
alter table public."client_score" enable always trigger charle_raise;
create function charle.t40_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 40, 'd'::"char", pg_catalog.jsonb_build_array(r."client_id", r."kind")::pg_catalog.text from public."client_score" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 40, 'd'::"char", pg_catalog.jsonb_build_array(r."client_id", r."kind")::pg_catalog.text from public."client_score" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."client_score";
create trigger charle_truncate before truncate on public."client_score" for each statement execute function charle.t40_truncate();
alter table public."client_score" enable always trigger charle_truncate;
select charle.unstamp(43);
create function charle.t43_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and coalesce((new.status = 'approved'), false) operator(pg_catalog.=) coalesce((old.status = 'approved'), false) and new."user_id" operator(pg_catalog.=) old."user_id" and new."user_id" operator(pg_catalog.=) old."user_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when (new.status = 'approved') and row(old."id", old."user_id", old."day_type", old."start_date", old."end_date")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."user_id", new."day_type", new."start_date", new."end_date")::pg_catalog.record then e'\x1estaff\x1f43u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1ereports:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."user_id", old."type", old."day_type", old."start_date", old."end_date", old."half_days", old."status", old."created_by_id", old."decided_by_id", old."decided_at", old."decision_note", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."user_id", new."type", new."day_type", new."start_date", new."end_date", new."half_days", new."status", new."created_by_id", new."decided_by_id", new."decided_at", new."decision_note", new."created_at", new."updated_at")::pg_catalog.record then e'\x1emanagers\x1f43u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.status = 'approved'), false) operator(pg_catalog.=) coalesce((old.status = 'approved'), false) then case when (new.status = 'approved') and row(old."id", old."user_id", old."day_type", old."start_date", old."end_date")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."user_id", new."day_type", new."start_date", new."end_date")::pg_catalog.record then e'\x1estaff\x1f43u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.status = 'approved') then e'\x1estaff\x1f43d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.status = 'approved') then e'\x1estaff\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."user_id" operator(pg_catalog.=) old."user_id" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f43d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."user_id" operator(pg_catalog.=) old."user_id" then e'\x1ereports:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1ereports:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f43d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1ereports:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then case when true and row(old."id", old."user_id", old."type", old."day_type", old."start_date", old."end_date", old."half_days", old."status", old."created_by_id", old."decided_by_id", old."decided_at", old."decision_note", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."user_id", new."type", new."day_type", new."start_date", new."end_date", new."half_days", new."status", new."created_by_id", new."decided_by_id", new."decided_at", new."decision_note", new."created_at", new."updated_at")::pg_catalog.record then e'\x1emanagers\x1f43u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1emanagers\x1f43d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (new.status = 'approved') then e'\x1estaff\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1ereports:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f43u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (old.status = 'approved') then e'\x1estaff\x1f43d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f43d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1ereports:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f43d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f43d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."leave_request";
create trigger charle_log after insert or update or delete on public."leave_request" for each row execute function charle.t43_log();
alter table public."leave_request" enable always trigger charle_log;
drop trigger if exists charle_raise on public."leave_request";
create constraint trigger charle_raise after insert or update or delete on public."leave_request" deferrable initially deferred for each row execute function charle.raise();
alter table public."leave_request" enable always trigger charle_raise;
create function charle.t43_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'staff', 43, 'd'::"char", r."id" from public."leave_request" r where (r.status = 'approved');
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 43, 'd'::"char", r."id" from public."leave_request" r where true and r."user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'reports:' operator(pg_catalog.||) r."user_id", 43, 'd'::"char", r."id" from public."leave_request" r where true and r."user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'managers', 43, 'd'::"char", r."id" from public."leave_request" r where true;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."leave_request";
create trigger charle_truncate before truncate on public."leave_request" for each statement execute function charle.t43_truncate();
alter table public."leave_request" enable always trigger charle_truncate;
select charle.unstamp(44);
create function charle.t44_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."user_id" operator(pg_catalog.=) old."user_id" and new."year" operator(pg_catalog.=) old."year" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1emanagers\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."year" operator(pg_catalog.=) old."year" then e'\x1emanagers\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text
            else coalesce(e'\x1emanagers\x1f44d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."year")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."year" operator(pg_catalog.=) old."year" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f44d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."year")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f44u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."year")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1emanagers\x1f44d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."year")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f44d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."year")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."leave_balance";
create trigger charle_log after insert or update or delete on public."leave_balance" for each row execute function charle.t44_log();
alter table public."leave_balance" enable always trigger charle_log;
drop trigger if exists charle_raise on public."leave_balance";
create constraint trigger charle_raise after insert or update or delete on public."leave_balance" deferrable initially deferred for each row execute function charle.raise();
alter table public."leave_balance" enable always trigger charle_raise;
create function charle.t44_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'managers', 44, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."year")::pg_catalog.text from public."leave_balance" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 44, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."year")::pg_catalog.text from public."leave_balance" r where true and r."user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."leave_balance";
create trigger charle_truncate before truncate on public."leave_balance" for each statement execute function charle.t44_truncate();
alter table public."leave_balance" enable always trigger charle_truncate;
select charle.unstamp(46);
create function charle.t46_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."recipient_user_id" operator(pg_catalog.=) old."recipient_user_id" and new."recipient_client_user_id" operator(pg_catalog.=) old."recipient_client_user_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."recipient_user_id" operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eportal_user:' operator(pg_catalog.||) new."recipient_client_user_id" operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."recipient_user_id" operator(pg_catalog.=) old."recipient_user_id" then e'\x1euser:' operator(pg_catalog.||) new."recipient_user_id" operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."recipient_user_id" operator(pg_catalog.||) e'\x1f46d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."recipient_user_id") operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."recipient_client_user_id" operator(pg_catalog.=) old."recipient_client_user_id" then e'\x1eportal_user:' operator(pg_catalog.||) new."recipient_client_user_id" operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eportal_user:' operator(pg_catalog.||) old."recipient_client_user_id" operator(pg_catalog.||) e'\x1f46d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal_user:' operator(pg_catalog.||) charle.clean(new."recipient_client_user_id") operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."recipient_user_id") operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal_user:' operator(pg_catalog.||) charle.clean(new."recipient_client_user_id") operator(pg_catalog.||) e'\x1f46u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."recipient_user_id" operator(pg_catalog.||) e'\x1f46d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal_user:' operator(pg_catalog.||) old."recipient_client_user_id" operator(pg_catalog.||) e'\x1f46d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."notification";
create trigger charle_log after insert or update or delete on public."notification" for each row execute function charle.t46_log();
alter table public."notification" enable always trigger charle_log;
drop trigger if exists charle_raise on public."notification";
create constraint trigger charle_raise after insert or update or delete on public."notification" deferrable initially deferred for each row execute function charle.raise();
alter table public."notification" enable always trigger charle_raise;
create function charle.t46_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."recipient_user_id", 46, 'd'::"char", r."id" from public."notification" r where true and r."recipient_user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal_user:' operator(pg_catalog.||) r."recipient_client_user_id", 46, 'd'::"char", r."id" from public."notification" r where true and r."recipient_client_user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."notification";
create trigger charle_truncate before truncate on public."notification" for each statement execute function charle.t46_truncate();
alter table public."notification" enable always trigger charle_truncate;
select charle.unstamp(47);
create function charle.t47_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')), false) and coalesce((new.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) and coalesce((new.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) operator(pg_catalog.=) coalesce((old.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) and new."actor_user_id" operator(pg_catalog.=) old."actor_user_id" and new."client_id" operator(pg_catalog.=) old."client_id" and coalesce((new.client_visible), false) operator(pg_catalog.=) coalesce((old.client_visible), false) then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when (new.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')) then e'\x1eteam\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) case when (new.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1eleads\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) case when (new.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1emanagers\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."actor_user_id" operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when (new.client_visible) and row(old."id", old."at", old."actor_user_id", old."actor_client_user_id", old."verb", old."subject_type", old."subject_id", old."client_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."at", new."actor_user_id", new."actor_client_user_id", new."verb", new."subject_type", new."subject_id", new."client_id")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')), false) then case when (new.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')) then e'\x1eteam\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')) then e'\x1eteam\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')) then e'\x1eteam\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) operator(pg_catalog.=) coalesce((old.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) then case when (new.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1eleads\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1eleads\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1eleads\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and coalesce((new.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) operator(pg_catalog.=) coalesce((old.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')), false) then case when (new.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1emanagers\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1emanagers\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1emanagers\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."actor_user_id" operator(pg_catalog.=) old."actor_user_id" then e'\x1euser:' operator(pg_catalog.||) new."actor_user_id" operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."actor_user_id" operator(pg_catalog.||) e'\x1f47d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."actor_user_id") operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and coalesce((new.client_visible), false) operator(pg_catalog.=) coalesce((old.client_visible), false) then case when (new.client_visible) and row(old."id", old."at", old."actor_user_id", old."actor_client_user_id", old."verb", old."subject_type", old."subject_id", old."client_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."at", new."actor_user_id", new."actor_client_user_id", new."verb", new."subject_type", new."subject_id", new."client_id")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(case when (old.client_visible) then e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '') operator(pg_catalog.||) coalesce(case when (new.client_visible) then e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (new.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')) then e'\x1eteam\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(case when (new.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1eleads\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(case when (new.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1emanagers\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."actor_user_id") operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(case when (new.client_visible) then e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f47u\x1f' operator(pg_catalog.||) charle.clean(new."id") end, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(case when (old.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket')) then e'\x1eteam\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(case when (old.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1eleads\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(case when (old.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment')) then e'\x1emanagers\x1f47d\x1f' operator(pg_catalog.||) old."id" end, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."actor_user_id" operator(pg_catalog.||) e'\x1f47d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(case when (old.client_visible) then e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f47d\x1f' operator(pg_catalog.||) old."id" end, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."activity_log";
create trigger charle_log after insert or update or delete on public."activity_log" for each row execute function charle.t47_log();
alter table public."activity_log" enable always trigger charle_log;
drop trigger if exists charle_raise on public."activity_log";
create constraint trigger charle_raise after insert or update or delete on public."activity_log" deferrable initially deferred for each row execute function charle.raise();
alter table public."activity_log" enable always trigger charle_raise;
create function charle.t47_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 47, 'd'::"char", r."id" from public."activity_log" r where (r.subject_type in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 47, 'd'::"char", r."id" from public."activity_log" r where (r.subject_type in ('quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'managers', 47, 'd'::"char", r."id" from public."activity_log" r where (r.subject_type not in ('task', 'task_requirement', 'subtask', 'subtask_review', 'help_desk_ticket', 'quote', 'quote_requirement', 'project', 'project_phase', 'project_task', 'project_sign_off', 'block', 'roadmap_item', 'schedule_item', 'comment', 'attachment'));
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."actor_user_id", 47, 'd'::"char", r."id" from public."activity_log" r where true and r."actor_user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 47, 'd'::"char", r."id" from public."activity_log" r where (r.client_visible) and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."activity_log";
create trigger charle_truncate before truncate on public."activity_log" for each statement execute function charle.t47_truncate();
alter table public."activity_log" enable always trigger charle_truncate;
select charle.unstamp(13);
create function charle.t13_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f13u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."display_id", old."client_id", old."title", old."description", old."status", old."origin", old."created_by_client_user_id", old."client_decided_by_id", old."client_decided_at", old."cancelled_at", old."task_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."client_id", new."title", new."description", new."status", new."origin", new."created_by_client_user_id", new."client_decided_by_id", new."client_decided_at", new."cancelled_at", new."task_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f13u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eleads\x1f13u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eleads\x1f13d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f13u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then case when true and row(old."id", old."display_id", old."client_id", old."title", old."description", old."status", old."origin", old."created_by_client_user_id", old."client_decided_by_id", old."client_decided_at", old."cancelled_at", old."task_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."client_id", new."title", new."description", new."status", new."origin", new."created_by_client_user_id", new."client_decided_by_id", new."client_decided_at", new."cancelled_at", new."task_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f13u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f13d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f13u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f13u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f13u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f13d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f13d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(13, array[new."id"], false);
    for is_in in select distinct s.scope from public."quote_requirement" p1, public."quote_requirement_assignee" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."user_id" end)) s (scope) where true and p1."quote_id" = new."id" and p2."quote_requirement_id" = p1."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f13u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."quote";
create trigger charle_log after insert or update or delete on public."quote" for each row execute function charle.t13_log();
alter table public."quote" enable always trigger charle_log;
drop trigger if exists charle_raise on public."quote";
create constraint trigger charle_raise after insert or update or delete on public."quote" deferrable initially deferred for each row execute function charle.raise();
alter table public."quote" enable always trigger charle_raise;
create function charle.t13_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 13, 'd'::"char", r."id" from public."quote" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 13, 'd'::"char", r."id" from public."quote" r, public."quote_requirement" p1, public."quote_requirement_assignee" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."user_id" end)) s (scope) where true and p1."quote_id" = r."id" and p2."quote_requirement_id" = p1."id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 13, 'd'::"char", r."id" from public."quote" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."quote";
create trigger charle_truncate before truncate on public."quote" for each statement execute function charle.t13_truncate();
alter table public."quote" enable always trigger charle_truncate;
create function charle.t13_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(13, array[old."id"], false);
    for is_in in select distinct s.scope from public."quote_requirement" p1, public."quote_requirement_assignee" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."user_id" end)) s (scope) where true and p1."quote_id" = old."id" and p2."quote_requirement_id" = p1."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f13d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."quote";
create trigger zz_charle_leave before update or delete on public."quote" for each row execute function charle.t13_leave();
alter table public."quote" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 13, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t13_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(14, array[l."id"], true);
    perform charle.lock_rows(13, array(select distinct r."id" from public."quote" r where true and l."quote_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."quote" r, public."quote_requirement_assignee" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."user_id" end)) s (scope) where true and l."quote_id" = r."id" and p2."quote_requirement_id" = l."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f13u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t13_a1_s1_gone on public."quote_requirement";
create trigger zz_charle_t13_a1_s1_gone before delete on public."quote_requirement" for each row execute function charle.t13_a1_s1();
alter table public."quote_requirement" enable always trigger zz_charle_t13_a1_s1_gone;
drop trigger if exists zz_charle_t13_a1_s1_from on public."quote_requirement";
create trigger zz_charle_t13_a1_s1_from before update on public."quote_requirement" for each row when (old."id" is distinct from new."id" or old."quote_id" is distinct from new."quote_id") execute function charle.t13_a1_s1();
alter table public."quote_requirement" enable always trigger zz_charle_t13_a1_s1_from;
drop trigger if exists charle_t13_a1_s1_to on public."quote_requirement";
create trigger charle_t13_a1_s1_to after update on public."quote_requirement" for each row when (old."id" is distinct from new."id" or old."quote_id" is distinct from new."quote_id") execute function charle.t13_a1_s1();
alter table public."quote_requirement" enable always trigger charle_t13_a1_s1_to;
drop trigger if exists charle_t13_a1_s1_new on public."quote_requirement";
create trigger charle_t13_a1_s1_new after insert on public."quote_requirement" for each row execute function charle.t13_a1_s1();
alter table public."quote_requirement" enable always trigger charle_t13_a1_s1_new;
create function charle.t13_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 13, 'd'::"char", r."id" from public."quote" r, public."quote_requirement" p1, public."quote_requirement_assignee" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."user_id" end)) s (scope) where true and p1."quote_id" = r."id" and p2."quote_requirement_id" = p1."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t13_a1_s1_truncate on public."quote_requirement";
create trigger charle_t13_a1_s1_truncate before truncate on public."quote_requirement" for each statement execute function charle.t13_a1_s1_truncate();
alter table public."quote_requirement" enable always trigger charle_t13_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 14, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t13_a1_s2() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(15, array[pg_catalog.jsonb_build_array(l."quote_requirement_id", l."user_id")::pg_catalog.text], true);
    perform charle.lock_rows(14, array(select distinct p1."id" from public."quote_requirement" p1 where true and l."quote_requirement_id" = p1."id"), true);
    perform charle.lock_rows(13, array(select distinct r."id" from public."quote" r, public."quote_requirement" p1 where true and p1."quote_id" = r."id" and l."quote_requirement_id" = p1."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."quote" r, public."quote_requirement" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."user_id" end)) s (scope) where true and p1."quote_id" = r."id" and l."quote_requirement_id" = p1."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f13u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t13_a1_s2_gone on public."quote_requirement_assignee";
create trigger zz_charle_t13_a1_s2_gone before delete on public."quote_requirement_assignee" for each row execute function charle.t13_a1_s2();
alter table public."quote_requirement_assignee" enable always trigger zz_charle_t13_a1_s2_gone;
drop trigger if exists zz_charle_t13_a1_s2_from on public."quote_requirement_assignee";
create trigger zz_charle_t13_a1_s2_from before update on public."quote_requirement_assignee" for each row when (old."quote_requirement_id" is distinct from new."quote_requirement_id" or old."user_id" is distinct from new."user_id") execute function charle.t13_a1_s2();
alter table public."quote_requirement_assignee" enable always trigger zz_charle_t13_a1_s2_from;
drop trigger if exists charle_t13_a1_s2_to on public."quote_requirement_assignee";
create trigger charle_t13_a1_s2_to after update on public."quote_requirement_assignee" for each row when (old."quote_requirement_id" is distinct from new."quote_requirement_id" or old."user_id" is distinct from new."user_id") execute function charle.t13_a1_s2();
alter table public."quote_requirement_assignee" enable always trigger charle_t13_a1_s2_to;
drop trigger if exists charle_t13_a1_s2_new on public."quote_requirement_assignee";
create trigger charle_t13_a1_s2_new after insert on public."quote_requirement_assignee" for each row execute function charle.t13_a1_s2();
alter table public."quote_requirement_assignee" enable always trigger charle_t13_a1_s2_new;
create function charle.t13_a1_s2_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 13, 'd'::"char", r."id" from public."quote" r, public."quote_requirement" p1, public."quote_requirement_assignee" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."user_id" end)) s (scope) where true and p1."quote_id" = r."id" and p2."quote_requirement_id" = p1."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t13_a1_s2_truncate on public."quote_requirement_assignee";
create trigger charle_t13_a1_s2_truncate before truncate on public."quote_requirement_assignee" for each statement execute function charle.t13_a1_s2_truncate();
alter table public."quote_requirement_assignee" enable always trigger charle_t13_a1_s2_truncate;
insert into charle.gate (tab, bucket) select 15, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(14);
create function charle.t14_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f14u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eleads\x1f14u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eleads\x1f14d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f14u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f14u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f14d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(14, array[new."id"], false);
    for is_in in select distinct s.scope from public."quote_requirement_assignee" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."user_id" end)) s (scope) where true and p1."quote_requirement_id" = new."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f14u\x1f' || new."id";
    end loop;
    perform charle.lock_rows(14, array[new."id"], false);
    perform charle.lock_rows(13, array(select distinct p1."id" from public."quote" p1 where true and p1."id" = new."quote_id"), false);
    for is_in in select distinct s.scope from public."quote" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end), (case when (new.is_offered) then 'offer:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f14u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."quote_requirement";
create trigger charle_log after insert or update or delete on public."quote_requirement" for each row execute function charle.t14_log();
alter table public."quote_requirement" enable always trigger charle_log;
drop trigger if exists charle_raise on public."quote_requirement";
create constraint trigger charle_raise after insert or update or delete on public."quote_requirement" deferrable initially deferred for each row execute function charle.raise();
alter table public."quote_requirement" enable always trigger charle_raise;
create function charle.t14_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 14, 'd'::"char", r."id" from public."quote_requirement" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 14, 'd'::"char", r."id" from public."quote_requirement" r, public."quote_requirement_assignee" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."user_id" end)) s (scope) where true and p1."quote_requirement_id" = r."id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 14, 'd'::"char", r."id" from public."quote_requirement" r, public."quote" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end), (case when (r.is_offered) then 'offer:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."quote_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."quote_requirement";
create trigger charle_truncate before truncate on public."quote_requirement" for each statement execute function charle.t14_truncate();
alter table public."quote_requirement" enable always trigger charle_truncate;
create function charle.t14_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."quote_id", old."is_offered")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."quote_id", new."is_offered")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(14, array[old."id"], false);
    for is_in in select distinct s.scope from public."quote_requirement_assignee" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."user_id" end)) s (scope) where true and p1."quote_requirement_id" = old."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f14d\x1f' || old."id";
    end loop;
    perform charle.lock_rows(14, array[old."id"], false);
    perform charle.lock_rows(13, array(select distinct p1."id" from public."quote" p1 where true and p1."id" = old."quote_id"), false);
    for is_in in select distinct s.scope from public."quote" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end), (case when (old.is_offered) then 'offer:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f14d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."quote_requirement";
create trigger zz_charle_leave before update or delete on public."quote_requirement" for each row execute function charle.t14_leave();
alter table public."quote_requirement" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 14, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t14_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(15, array[pg_catalog.jsonb_build_array(l."quote_requirement_id", l."user_id")::pg_catalog.text], true);
    perform charle.lock_rows(14, array(select distinct r."id" from public."quote_requirement" r where true and l."quote_requirement_id" = r."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."quote_requirement" r, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."user_id" end)) s (scope) where true and l."quote_requirement_id" = r."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f14u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t14_a1_s1_gone on public."quote_requirement_assignee";
create trigger zz_charle_t14_a1_s1_gone before delete on public."quote_requirement_assignee" for each row execute function charle.t14_a1_s1();
alter table public."quote_requirement_assignee" enable always trigger zz_charle_t14_a1_s1_gone;
drop trigger if exists zz_charle_t14_a1_s1_from on public."quote_requirement_assignee";
create trigger zz_charle_t14_a1_s1_from before update on public."quote_requirement_assignee" for each row when (old."quote_requirement_id" is distinct from new."quote_requirement_id" or old."user_id" is distinct from new."user_id") execute function charle.t14_a1_s1();
alter table public."quote_requirement_assignee" enable always trigger zz_charle_t14_a1_s1_from;
drop trigger if exists charle_t14_a1_s1_to on public."quote_requirement_assignee";
create trigger charle_t14_a1_s1_to after update on public."quote_requirement_assignee" for each row when (old."quote_requirement_id" is distinct from new."quote_requirement_id" or old."user_id" is distinct from new."user_id") execute function charle.t14_a1_s1();
alter table public."quote_requirement_assignee" enable always trigger charle_t14_a1_s1_to;
drop trigger if exists charle_t14_a1_s1_new on public."quote_requirement_assignee";
create trigger charle_t14_a1_s1_new after insert on public."quote_requirement_assignee" for each row execute function charle.t14_a1_s1();
alter table public."quote_requirement_assignee" enable always trigger charle_t14_a1_s1_new;
create function charle.t14_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 14, 'd'::"char", r."id" from public."quote_requirement" r, public."quote_requirement_assignee" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."user_id" end)) s (scope) where true and p1."quote_requirement_id" = r."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t14_a1_s1_truncate on public."quote_requirement_assignee";
create trigger charle_t14_a1_s1_truncate before truncate on public."quote_requirement_assignee" for each statement execute function charle.t14_a1_s1_truncate();
alter table public."quote_requirement_assignee" enable always trigger charle_t14_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 15, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t14_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(13, array[l."id"], true);
    perform charle.lock_rows(14, array(select distinct r."id" from public."quote_requirement" r where true and l."id" = r."quote_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."quote_requirement" r, lateral (values (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end), (case when (r.is_offered) then 'offer:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f14u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t14_a2_s1_gone on public."quote";
create trigger zz_charle_t14_a2_s1_gone before delete on public."quote" for each row execute function charle.t14_a2_s1();
alter table public."quote" enable always trigger zz_charle_t14_a2_s1_gone;
drop trigger if exists zz_charle_t14_a2_s1_from on public."quote";
create trigger zz_charle_t14_a2_s1_from before update on public."quote" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t14_a2_s1();
alter table public."quote" enable always trigger zz_charle_t14_a2_s1_from;
drop trigger if exists charle_t14_a2_s1_to on public."quote";
create trigger charle_t14_a2_s1_to after update on public."quote" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t14_a2_s1();
alter table public."quote" enable always trigger charle_t14_a2_s1_to;
create function charle.t14_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 14, 'd'::"char", r."id" from public."quote_requirement" r, public."quote" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end), (case when (r.is_offered) then 'offer:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."quote_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t14_a2_s1_truncate on public."quote";
create trigger charle_t14_a2_s1_truncate before truncate on public."quote" for each statement execute function charle.t14_a2_s1_truncate();
alter table public."quote" enable always trigger charle_t14_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 13, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(15);
create function charle.t15_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."quote_requirement_id" operator(pg_catalog.=) old."quote_requirement_id" and new."user_id" operator(pg_catalog.=) old."user_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."quote_requirement_id" operator(pg_catalog.=) old."quote_requirement_id" and new."user_id" operator(pg_catalog.=) old."user_id" then e'\x1eleads\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text
            else coalesce(e'\x1eleads\x1f15d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."quote_requirement_id", old."user_id")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."quote_requirement_id" operator(pg_catalog.=) old."quote_requirement_id" and new."user_id" operator(pg_catalog.=) old."user_id" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f15d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."quote_requirement_id", old."user_id")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f15u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f15d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."quote_requirement_id", old."user_id")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f15d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."quote_requirement_id", old."user_id")::pg_catalog.text, ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(15, array[pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text], false);
    perform charle.lock_rows(14, array(select distinct p1."id" from public."quote_requirement" p1 where true and p1."id" = new."quote_requirement_id"), false);
    for is_in in select distinct s.scope from public."quote_requirement" p1, public."quote" p2, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = new."quote_requirement_id" and p2."id" = p1."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f15u\x1f' || pg_catalog.jsonb_build_array(new."quote_requirement_id", new."user_id")::pg_catalog.text;
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."quote_requirement_assignee";
create trigger charle_log after insert or update or delete on public."quote_requirement_assignee" for each row execute function charle.t15_log();
alter table public."quote_requirement_assignee" enable always trigger charle_log;
drop trigger if exists charle_raise on public."quote_requirement_assignee";
create constraint trigger charle_raise after insert or update or delete on public."quote_requirement_assignee" deferrable initially deferred for each row execute function charle.raise();
alter table public."quote_requirement_assignee" enable always trigger charle_raise;
create function charle.t15_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 15, 'd'::"char", pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 15, 'd'::"char", pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r where true and r."user_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 15, 'd'::"char", pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r, public."quote_requirement" p1, public."quote" p2, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = r."quote_requirement_id" and p2."id" = p1."quote_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."quote_requirement_assignee";
create trigger charle_truncate before truncate on public."quote_requirement_assignee" for each statement execute function charle.t15_truncate();
alter table public."quote_requirement_assignee" enable always trigger charle_truncate;
create function charle.t15_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."quote_requirement_id", old."user_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."quote_requirement_id", new."user_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(15, array[pg_catalog.jsonb_build_array(old."quote_requirement_id", old."user_id")::pg_catalog.text], false);
    perform charle.lock_rows(14, array(select distinct p1."id" from public."quote_requirement" p1 where true and p1."id" = old."quote_requirement_id"), false);
    for is_in in select distinct s.scope from public."quote_requirement" p1, public."quote" p2, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = old."quote_requirement_id" and p2."id" = p1."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f15d\x1f' || pg_catalog.jsonb_build_array(old."quote_requirement_id", old."user_id")::pg_catalog.text;
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."quote_requirement_assignee";
create trigger zz_charle_leave before update or delete on public."quote_requirement_assignee" for each row execute function charle.t15_leave();
alter table public."quote_requirement_assignee" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 15, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t15_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(14, array[l."id"], true);
    perform charle.lock_rows(13, array(select distinct p2."id" from public."quote" p2 where true and p2."id" = l."quote_id"), true);
    perform charle.lock_rows(15, array(select distinct pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r where true and l."id" = r."quote_requirement_id"), true);
    for is_in, key in select distinct s.scope, pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r, public."quote" p2, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and l."id" = r."quote_requirement_id" and p2."id" = l."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f15u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t15_a2_s1_gone on public."quote_requirement";
create trigger zz_charle_t15_a2_s1_gone before delete on public."quote_requirement" for each row execute function charle.t15_a2_s1();
alter table public."quote_requirement" enable always trigger zz_charle_t15_a2_s1_gone;
drop trigger if exists zz_charle_t15_a2_s1_from on public."quote_requirement";
create trigger zz_charle_t15_a2_s1_from before update on public."quote_requirement" for each row when (old."quote_id" is distinct from new."quote_id") execute function charle.t15_a2_s1();
alter table public."quote_requirement" enable always trigger zz_charle_t15_a2_s1_from;
drop trigger if exists charle_t15_a2_s1_to on public."quote_requirement";
create trigger charle_t15_a2_s1_to after update on public."quote_requirement" for each row when (old."quote_id" is distinct from new."quote_id") execute function charle.t15_a2_s1();
alter table public."quote_requirement" enable always trigger charle_t15_a2_s1_to;
create function charle.t15_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 15, 'd'::"char", pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r, public."quote_requirement" p1, public."quote" p2, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = r."quote_requirement_id" and p2."id" = p1."quote_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t15_a2_s1_truncate on public."quote_requirement";
create trigger charle_t15_a2_s1_truncate before truncate on public."quote_requirement" for each statement execute function charle.t15_a2_s1_truncate();
alter table public."quote_requirement" enable always trigger charle_t15_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 14, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t15_a2_s2() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(13, array[l."id"], true);
    perform charle.lock_rows(14, array(select distinct p1."id" from public."quote_requirement" p1 where true and l."id" = p1."quote_id"), true);
    perform charle.lock_rows(15, array(select distinct pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r, public."quote_requirement" p1 where true and p1."id" = r."quote_requirement_id" and l."id" = p1."quote_id"), true);
    for is_in, key in select distinct s.scope, pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r, public."quote_requirement" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and p1."id" = r."quote_requirement_id" and l."id" = p1."quote_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f15u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t15_a2_s2_gone on public."quote";
create trigger zz_charle_t15_a2_s2_gone before delete on public."quote" for each row execute function charle.t15_a2_s2();
alter table public."quote" enable always trigger zz_charle_t15_a2_s2_gone;
drop trigger if exists zz_charle_t15_a2_s2_from on public."quote";
create trigger zz_charle_t15_a2_s2_from before update on public."quote" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t15_a2_s2();
alter table public."quote" enable always trigger zz_charle_t15_a2_s2_from;
drop trigger if exists charle_t15_a2_s2_to on public."quote";
create trigger charle_t15_a2_s2_to after update on public."quote" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t15_a2_s2();
alter table public."quote" enable always trigger charle_t15_a2_s2_to;
create function charle.t15_a2_s2_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 15, 'd'::"char", pg_catalog.jsonb_build_array(r."quote_requirement_id", r."user_id")::pg_catalog.text from public."quote_requirement_assignee" r, public."quote_requirement" p1, public."quote" p2, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = r."quote_requirement_id" and p2."id" = p1."quote_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t15_a2_s2_truncate on public."quote";
create trigger charle_t15_a2_s2_truncate before truncate on public."quote" for each statement execute function charle.t15_a2_s2_truncate();
alter table public."quote" enable always trigger charle_t15_a2_s2_truncate;
insert into charle.gate (tab, bucket) select 13, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(16);
create function charle.t16_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eteam\x1f16u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."display_id", old."title", old."description", old."client_id", old."pm_id", old."status", old."quote_id", old."project_id", old."completed_at", old."cancelled_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."title", new."description", new."client_id", new."pm_id", new."status", new."quote_id", new."project_id", new."completed_at", new."cancelled_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f16u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eteam\x1f16u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eteam\x1f16d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eteam\x1f16u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then case when true and row(old."id", old."display_id", old."title", old."description", old."client_id", old."pm_id", old."status", old."quote_id", old."project_id", old."completed_at", old."cancelled_at", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."title", new."description", new."client_id", new."pm_id", new."status", new."quote_id", new."project_id", new."completed_at", new."cancelled_at", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f16u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f16d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f16u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f16u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f16u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f16d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f16d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."task";
create trigger charle_log after insert or update or delete on public."task" for each row execute function charle.t16_log();
alter table public."task" enable always trigger charle_log;
drop trigger if exists charle_raise on public."task";
create constraint trigger charle_raise after insert or update or delete on public."task" deferrable initially deferred for each row execute function charle.raise();
alter table public."task" enable always trigger charle_raise;
create function charle.t16_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 16, 'd'::"char", r."id" from public."task" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 16, 'd'::"char", r."id" from public."task" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."task";
create trigger charle_truncate before truncate on public."task" for each statement execute function charle.t16_truncate();
alter table public."task" enable always trigger charle_truncate;
select charle.unstamp(17);
create function charle.t17_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eteam\x1f17u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eteam\x1f17u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eteam\x1f17d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eteam\x1f17u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f17u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f17d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(17, array[new."id"], false);
    perform charle.lock_rows(16, array(select distinct p1."id" from public."task" p1 where true and p1."id" = new."task_id"), false);
    for is_in in select distinct s.scope from public."task" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f17u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."task_requirement";
create trigger charle_log after insert or update or delete on public."task_requirement" for each row execute function charle.t17_log();
alter table public."task_requirement" enable always trigger charle_log;
drop trigger if exists charle_raise on public."task_requirement";
create constraint trigger charle_raise after insert or update or delete on public."task_requirement" deferrable initially deferred for each row execute function charle.raise();
alter table public."task_requirement" enable always trigger charle_raise;
create function charle.t17_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 17, 'd'::"char", r."id" from public."task_requirement" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 17, 'd'::"char", r."id" from public."task_requirement" r, public."task" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."task_requirement";
create trigger charle_truncate before truncate on public."task_requirement" for each statement execute function charle.t17_truncate();
alter table public."task_requirement" enable always trigger charle_truncate;
create function charle.t17_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."task_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."task_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(17, array[old."id"], false);
    perform charle.lock_rows(16, array(select distinct p1."id" from public."task" p1 where true and p1."id" = old."task_id"), false);
    for is_in in select distinct s.scope from public."task" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f17d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."task_requirement";
create trigger zz_charle_leave before update or delete on public."task_requirement" for each row execute function charle.t17_leave();
alter table public."task_requirement" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 17, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t17_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(16, array[l."id"], true);
    perform charle.lock_rows(17, array(select distinct r."id" from public."task_requirement" r where true and l."id" = r."task_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."task_requirement" r, lateral (values (case when true then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f17u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t17_a1_s1_gone on public."task";
create trigger zz_charle_t17_a1_s1_gone before delete on public."task" for each row execute function charle.t17_a1_s1();
alter table public."task" enable always trigger zz_charle_t17_a1_s1_gone;
drop trigger if exists zz_charle_t17_a1_s1_from on public."task";
create trigger zz_charle_t17_a1_s1_from before update on public."task" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t17_a1_s1();
alter table public."task" enable always trigger zz_charle_t17_a1_s1_from;
drop trigger if exists charle_t17_a1_s1_to on public."task";
create trigger charle_t17_a1_s1_to after update on public."task" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t17_a1_s1();
alter table public."task" enable always trigger charle_t17_a1_s1_to;
create function charle.t17_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 17, 'd'::"char", r."id" from public."task_requirement" r, public."task" p1, lateral (values (case when true then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t17_a1_s1_truncate on public."task";
create trigger charle_t17_a1_s1_truncate before truncate on public."task" for each statement execute function charle.t17_a1_s1_truncate();
alter table public."task" enable always trigger charle_t17_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 16, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(28);
create function charle.t28_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f28u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f28u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f28d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f28u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f28d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f28d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f28u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f28u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f28d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f28d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f28d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."roadmap_item";
create trigger charle_log after insert or update or delete on public."roadmap_item" for each row execute function charle.t28_log();
alter table public."roadmap_item" enable always trigger charle_log;
drop trigger if exists charle_raise on public."roadmap_item";
create constraint trigger charle_raise after insert or update or delete on public."roadmap_item" deferrable initially deferred for each row execute function charle.raise();
alter table public."roadmap_item" enable always trigger charle_raise;
create function charle.t28_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 28, 'd'::"char", r."id" from public."roadmap_item" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 28, 'd'::"char", r."id" from public."roadmap_item" r where true and r."client_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 28, 'd'::"char", r."id" from public."roadmap_item" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."roadmap_item";
create trigger charle_truncate before truncate on public."roadmap_item" for each statement execute function charle.t28_truncate();
alter table public."roadmap_item" enable always trigger charle_truncate;
select charle.unstamp(39);
create function charle.t39_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f39u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f39u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f39u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f39d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f39u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f39u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f39d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f39u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f39u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f39u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f39d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f39d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(39, array[new."id"], false);
    perform charle.lock_rows(17, array(select distinct p1."id" from public."task_requirement" p1 where true and p1."id" = new."task_requirement_id"), false);
    for is_in in select distinct s.scope from public."task_requirement" p1, public."subtask" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."assignee_id" end)) s (scope) where true and p1."id" = new."task_requirement_id" and p2."task_requirement_id" = p1."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f39u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."requirement_efficiency";
create trigger charle_log after insert or update or delete on public."requirement_efficiency" for each row execute function charle.t39_log();
alter table public."requirement_efficiency" enable always trigger charle_log;
drop trigger if exists charle_raise on public."requirement_efficiency";
create constraint trigger charle_raise after insert or update or delete on public."requirement_efficiency" deferrable initially deferred for each row execute function charle.raise();
alter table public."requirement_efficiency" enable always trigger charle_raise;
create function charle.t39_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 39, 'd'::"char", r."id" from public."requirement_efficiency" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 39, 'd'::"char", r."id" from public."requirement_efficiency" r where true and r."client_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 39, 'd'::"char", r."id" from public."requirement_efficiency" r, public."task_requirement" p1, public."subtask" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."assignee_id" end)) s (scope) where true and p1."id" = r."task_requirement_id" and p2."task_requirement_id" = p1."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."requirement_efficiency";
create trigger charle_truncate before truncate on public."requirement_efficiency" for each statement execute function charle.t39_truncate();
alter table public."requirement_efficiency" enable always trigger charle_truncate;
create function charle.t39_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."task_requirement_id")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."task_requirement_id")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(39, array[old."id"], false);
    perform charle.lock_rows(17, array(select distinct p1."id" from public."task_requirement" p1 where true and p1."id" = old."task_requirement_id"), false);
    for is_in in select distinct s.scope from public."task_requirement" p1, public."subtask" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."assignee_id" end)) s (scope) where true and p1."id" = old."task_requirement_id" and p2."task_requirement_id" = p1."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f39d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."requirement_efficiency";
create trigger zz_charle_leave before update or delete on public."requirement_efficiency" for each row execute function charle.t39_leave();
alter table public."requirement_efficiency" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 39, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t39_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(17, array[l."id"], true);
    perform charle.lock_rows(39, array(select distinct r."id" from public."requirement_efficiency" r where true and l."id" = r."task_requirement_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."requirement_efficiency" r, public."subtask" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."assignee_id" end)) s (scope) where true and l."id" = r."task_requirement_id" and p2."task_requirement_id" = l."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f39u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t39_a2_s1_gone on public."task_requirement";
create trigger zz_charle_t39_a2_s1_gone before delete on public."task_requirement" for each row execute function charle.t39_a2_s1();
alter table public."task_requirement" enable always trigger zz_charle_t39_a2_s1_gone;
drop trigger if exists zz_charle_t39_a2_s1_from on public."task_requirement";
create trigger zz_charle_t39_a2_s1_from before update on public."task_requirement" for each row when (old."id" is distinct from new."id") execute function charle.t39_a2_s1();
alter table public."task_requirement" enable always trigger zz_charle_t39_a2_s1_from;
drop trigger if exists charle_t39_a2_s1_to on public."task_requirement";
create trigger charle_t39_a2_s1_to after update on public."task_requirement" for each row when (old."id" is distinct from new."id") execute function charle.t39_a2_s1();
alter table public."task_requirement" enable always trigger charle_t39_a2_s1_to;
create function charle.t39_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 39, 'd'::"char", r."id" from public."requirement_efficiency" r, public."task_requirement" p1, public."subtask" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."assignee_id" end)) s (scope) where true and p1."id" = r."task_requirement_id" and p2."task_requirement_id" = p1."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t39_a2_s1_truncate on public."task_requirement";
create trigger charle_t39_a2_s1_truncate before truncate on public."task_requirement" for each statement execute function charle.t39_a2_s1_truncate();
alter table public."task_requirement" enable always trigger charle_t39_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 17, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t39_a2_s2() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(25, array[l."id"], true);
    perform charle.lock_rows(17, array(select distinct p1."id" from public."task_requirement" p1 where true and l."task_requirement_id" = p1."id"), true);
    perform charle.lock_rows(39, array(select distinct r."id" from public."requirement_efficiency" r, public."task_requirement" p1 where true and p1."id" = r."task_requirement_id" and l."task_requirement_id" = p1."id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."requirement_efficiency" r, public."task_requirement" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."assignee_id" end)) s (scope) where true and p1."id" = r."task_requirement_id" and l."task_requirement_id" = p1."id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f39u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t39_a2_s2_gone on public."subtask";
create trigger zz_charle_t39_a2_s2_gone before delete on public."subtask" for each row execute function charle.t39_a2_s2();
alter table public."subtask" enable always trigger zz_charle_t39_a2_s2_gone;
drop trigger if exists zz_charle_t39_a2_s2_from on public."subtask";
create trigger zz_charle_t39_a2_s2_from before update on public."subtask" for each row when (old."task_requirement_id" is distinct from new."task_requirement_id" or old."assignee_id" is distinct from new."assignee_id") execute function charle.t39_a2_s2();
alter table public."subtask" enable always trigger zz_charle_t39_a2_s2_from;
drop trigger if exists charle_t39_a2_s2_to on public."subtask";
create trigger charle_t39_a2_s2_to after update on public."subtask" for each row when (old."task_requirement_id" is distinct from new."task_requirement_id" or old."assignee_id" is distinct from new."assignee_id") execute function charle.t39_a2_s2();
alter table public."subtask" enable always trigger charle_t39_a2_s2_to;
drop trigger if exists charle_t39_a2_s2_new on public."subtask";
create trigger charle_t39_a2_s2_new after insert on public."subtask" for each row execute function charle.t39_a2_s2();
alter table public."subtask" enable always trigger charle_t39_a2_s2_new;
create function charle.t39_a2_s2_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 39, 'd'::"char", r."id" from public."requirement_efficiency" r, public."task_requirement" p1, public."subtask" p2, lateral (values (case when true then 'user:' operator(pg_catalog.||) p2."assignee_id" end)) s (scope) where true and p1."id" = r."task_requirement_id" and p2."task_requirement_id" = p1."id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t39_a2_s2_truncate on public."subtask";
create trigger charle_t39_a2_s2_truncate before truncate on public."subtask" for each statement execute function charle.t39_a2_s2_truncate();
alter table public."subtask" enable always trigger charle_t39_a2_s2_truncate;
insert into charle.gate (tab, bucket) select 25, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(41);
create function charle.t41_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eteam\x1f41u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) case when true and row(old."id", old."display_id", old."client_id", old."title", old."description", old."priority", old."status", old."created_by_user_id", old."created_by_client_user_id", old."first_responded_at", old."resolved_at", old."closed_at", old."converted_quote_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."client_id", new."title", new."description", new."priority", new."status", new."created_by_user_id", new."created_by_client_user_id", new."first_responded_at", new."resolved_at", new."closed_at", new."converted_quote_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f41u\x1f' operator(pg_catalog.||) new."id" else '' end, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eteam\x1f41u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eteam\x1f41d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eteam\x1f41u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then case when true and row(old."id", old."display_id", old."client_id", old."title", old."description", old."priority", old."status", old."created_by_user_id", old."created_by_client_user_id", old."first_responded_at", old."resolved_at", old."closed_at", old."converted_quote_id", old."created_at", old."updated_at")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."display_id", new."client_id", new."title", new."description", new."priority", new."status", new."created_by_user_id", new."created_by_client_user_id", new."first_responded_at", new."resolved_at", new."closed_at", new."converted_quote_id", new."created_at", new."updated_at")::pg_catalog.record then e'\x1eportal:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f41u\x1f' operator(pg_catalog.||) new."id" else '' end
            else coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f41d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f41u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f41u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f41u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f41d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eportal:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f41d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."help_desk_ticket";
create trigger charle_log after insert or update or delete on public."help_desk_ticket" for each row execute function charle.t41_log();
alter table public."help_desk_ticket" enable always trigger charle_log;
drop trigger if exists charle_raise on public."help_desk_ticket";
create constraint trigger charle_raise after insert or update or delete on public."help_desk_ticket" deferrable initially deferred for each row execute function charle.raise();
alter table public."help_desk_ticket" enable always trigger charle_raise;
create function charle.t41_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 41, 'd'::"char", r."id" from public."help_desk_ticket" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'portal:' operator(pg_catalog.||) r."client_id", 41, 'd'::"char", r."id" from public."help_desk_ticket" r where true and r."client_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."help_desk_ticket";
create trigger charle_truncate before truncate on public."help_desk_ticket" for each statement execute function charle.t41_truncate();
alter table public."help_desk_ticket" enable always trigger charle_truncate;
select charle.unstamp(42);
create function charle.t42_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f42u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eleads\x1f42u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eleads\x1f42d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f42u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f42u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f42d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(42, array[new."id"], false);
    perform charle.lock_rows(41, array(select distinct p1."id" from public."help_desk_ticket" p1 where true and p1."id" = new."ticket_id"), false);
    for is_in in select distinct s.scope from public."help_desk_ticket" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = new."ticket_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f42u\x1f' || new."id";
    end loop;
    perform charle.lock_rows(42, array[new."id"], false);
    perform charle.lock_rows(41, array(select distinct p1."id" from public."help_desk_ticket" p1 where true and p1."id" = new."ticket_id"), false);
    for is_in in select distinct s.scope from public."help_desk_ticket" p1, lateral (values (case when (new.visibility = 'client') then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."ticket_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f42u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."help_desk_message";
create trigger charle_log after insert or update or delete on public."help_desk_message" for each row execute function charle.t42_log();
alter table public."help_desk_message" enable always trigger charle_log;
drop trigger if exists charle_raise on public."help_desk_message";
create constraint trigger charle_raise after insert or update or delete on public."help_desk_message" deferrable initially deferred for each row execute function charle.raise();
alter table public."help_desk_message" enable always trigger charle_raise;
create function charle.t42_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 42, 'd'::"char", r."id" from public."help_desk_message" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 42, 'd'::"char", r."id" from public."help_desk_message" r, public."help_desk_ticket" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = r."ticket_id" and s.scope is not null;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 42, 'd'::"char", r."id" from public."help_desk_message" r, public."help_desk_ticket" p1, lateral (values (case when (r.visibility = 'client') then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."ticket_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."help_desk_message";
create trigger charle_truncate before truncate on public."help_desk_message" for each statement execute function charle.t42_truncate();
alter table public."help_desk_message" enable always trigger charle_truncate;
create function charle.t42_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."ticket_id", old."visibility")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."ticket_id", new."visibility")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(42, array[old."id"], false);
    perform charle.lock_rows(41, array(select distinct p1."id" from public."help_desk_ticket" p1 where true and p1."id" = old."ticket_id"), false);
    for is_in in select distinct s.scope from public."help_desk_ticket" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = old."ticket_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f42d\x1f' || old."id";
    end loop;
    perform charle.lock_rows(42, array[old."id"], false);
    perform charle.lock_rows(41, array(select distinct p1."id" from public."help_desk_ticket" p1 where true and p1."id" = old."ticket_id"), false);
    for is_in in select distinct s.scope from public."help_desk_ticket" p1, lateral (values (case when (old.visibility = 'client') then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."ticket_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f42d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."help_desk_message";
create trigger zz_charle_leave before update or delete on public."help_desk_message" for each row execute function charle.t42_leave();
alter table public."help_desk_message" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 42, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t42_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(41, array[l."id"], true);
    perform charle.lock_rows(42, array(select distinct r."id" from public."help_desk_message" r where true and l."id" = r."ticket_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."help_desk_message" r, lateral (values (case when true then 'user:' operator(pg_catalog.||) l."assignee_id" end)) s (scope) where true and l."id" = r."ticket_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f42u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t42_a1_s1_gone on public."help_desk_ticket";
create trigger zz_charle_t42_a1_s1_gone before delete on public."help_desk_ticket" for each row execute function charle.t42_a1_s1();
alter table public."help_desk_ticket" enable always trigger zz_charle_t42_a1_s1_gone;
drop trigger if exists zz_charle_t42_a1_s1_from on public."help_desk_ticket";
create trigger zz_charle_t42_a1_s1_from before update on public."help_desk_ticket" for each row when (old."assignee_id" is distinct from new."assignee_id") execute function charle.t42_a1_s1();
alter table public."help_desk_ticket" enable always trigger zz_charle_t42_a1_s1_from;
drop trigger if exists charle_t42_a1_s1_to on public."help_desk_ticket";
create trigger charle_t42_a1_s1_to after update on public."help_desk_ticket" for each row when (old."assignee_id" is distinct from new."assignee_id") execute function charle.t42_a1_s1();
alter table public."help_desk_ticket" enable always trigger charle_t42_a1_s1_to;
create function charle.t42_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 42, 'd'::"char", r."id" from public."help_desk_message" r, public."help_desk_ticket" p1, lateral (values (case when true then 'user:' operator(pg_catalog.||) p1."assignee_id" end)) s (scope) where true and p1."id" = r."ticket_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t42_a1_s1_truncate on public."help_desk_ticket";
create trigger charle_t42_a1_s1_truncate before truncate on public."help_desk_ticket" for each statement execute function charle.t42_a1_s1_truncate();
alter table public."help_desk_ticket" enable always trigger charle_t42_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 41, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t42_a2_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(41, array[l."id"], true);
    perform charle.lock_rows(42, array(select distinct r."id" from public."help_desk_message" r where true and l."id" = r."ticket_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."help_desk_message" r, lateral (values (case when (r.visibility = 'client') then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."ticket_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f42u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t42_a2_s1_gone on public."help_desk_ticket";
create trigger zz_charle_t42_a2_s1_gone before delete on public."help_desk_ticket" for each row execute function charle.t42_a2_s1();
alter table public."help_desk_ticket" enable always trigger zz_charle_t42_a2_s1_gone;
drop trigger if exists zz_charle_t42_a2_s1_from on public."help_desk_ticket";
create trigger zz_charle_t42_a2_s1_from before update on public."help_desk_ticket" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t42_a2_s1();
alter table public."help_desk_ticket" enable always trigger zz_charle_t42_a2_s1_from;
drop trigger if exists charle_t42_a2_s1_to on public."help_desk_ticket";
create trigger charle_t42_a2_s1_to after update on public."help_desk_ticket" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t42_a2_s1();
alter table public."help_desk_ticket" enable always trigger charle_t42_a2_s1_to;
create function charle.t42_a2_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 42, 'd'::"char", r."id" from public."help_desk_message" r, public."help_desk_ticket" p1, lateral (values (case when (r.visibility = 'client') then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."ticket_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t42_a2_s1_truncate on public."help_desk_ticket";
create trigger charle_t42_a2_s1_truncate before truncate on public."help_desk_ticket" for each statement execute function charle.t42_a2_s1_truncate();
alter table public."help_desk_ticket" enable always trigger charle_t42_a2_s1_truncate;
insert into charle.gate (tab, bucket) select 41, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(25);
create function charle.t25_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eteam\x1f25u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eteam\x1f25u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eteam\x1f25d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eteam\x1f25u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f25u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f25d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(25, array[new."id"], false);
    perform charle.lock_rows(16, array(select distinct p1."id" from public."task" p1 where true and p1."id" = new."task_id"), false);
    for is_in in select distinct s.scope from public."task" p1, lateral (values (case when (new.type in ('design', 'client_design_feedback', 'external_qa_review')) then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = new."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f25u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."subtask";
create trigger charle_log after insert or update or delete on public."subtask" for each row execute function charle.t25_log();
alter table public."subtask" enable always trigger charle_log;
drop trigger if exists charle_raise on public."subtask";
create constraint trigger charle_raise after insert or update or delete on public."subtask" deferrable initially deferred for each row execute function charle.raise();
alter table public."subtask" enable always trigger charle_raise;
create function charle.t25_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 25, 'd'::"char", r."id" from public."subtask" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 25, 'd'::"char", r."id" from public."subtask" r, public."task" p1, lateral (values (case when (r.type in ('design', 'client_design_feedback', 'external_qa_review')) then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."subtask";
create trigger charle_truncate before truncate on public."subtask" for each statement execute function charle.t25_truncate();
alter table public."subtask" enable always trigger charle_truncate;
create function charle.t25_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."task_id", old."type")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."task_id", new."type")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(25, array[old."id"], false);
    perform charle.lock_rows(16, array(select distinct p1."id" from public."task" p1 where true and p1."id" = old."task_id"), false);
    for is_in in select distinct s.scope from public."task" p1, lateral (values (case when (old.type in ('design', 'client_design_feedback', 'external_qa_review')) then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = old."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f25d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."subtask";
create trigger zz_charle_leave before update or delete on public."subtask" for each row execute function charle.t25_leave();
alter table public."subtask" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 25, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t25_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(16, array[l."id"], true);
    perform charle.lock_rows(25, array(select distinct r."id" from public."subtask" r where true and l."id" = r."task_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."subtask" r, lateral (values (case when (r.type in ('design', 'client_design_feedback', 'external_qa_review')) then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and l."id" = r."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f25u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t25_a1_s1_gone on public."task";
create trigger zz_charle_t25_a1_s1_gone before delete on public."task" for each row execute function charle.t25_a1_s1();
alter table public."task" enable always trigger zz_charle_t25_a1_s1_gone;
drop trigger if exists zz_charle_t25_a1_s1_from on public."task";
create trigger zz_charle_t25_a1_s1_from before update on public."task" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t25_a1_s1();
alter table public."task" enable always trigger zz_charle_t25_a1_s1_from;
drop trigger if exists charle_t25_a1_s1_to on public."task";
create trigger charle_t25_a1_s1_to after update on public."task" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t25_a1_s1();
alter table public."task" enable always trigger charle_t25_a1_s1_to;
create function charle.t25_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 25, 'd'::"char", r."id" from public."subtask" r, public."task" p1, lateral (values (case when (r.type in ('design', 'client_design_feedback', 'external_qa_review')) then 'portal:' operator(pg_catalog.||) p1."client_id" end)) s (scope) where true and p1."id" = r."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t25_a1_s1_truncate on public."task";
create trigger charle_t25_a1_s1_truncate before truncate on public."task" for each statement execute function charle.t25_a1_s1_truncate();
alter table public."task" enable always trigger charle_t25_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 16, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(26);
create function charle.t26_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eteam\x1f26u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eteam\x1f26u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eteam\x1f26d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eteam\x1f26u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f26u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eteam\x1f26d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if tg_op <> 'DELETE' then
    perform charle.lock_rows(26, array[new."id"], false);
    perform charle.lock_rows(25, array(select distinct p1."id" from public."subtask" p1 where true and p1."id" = new."subtask_id"), false);
    for is_in in select distinct s.scope from public."subtask" p1, public."task" p2, lateral (values (case when (new.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = new."subtask_id" and p2."id" = p1."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f26u\x1f' || new."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."subtask_review";
create trigger charle_log after insert or update or delete on public."subtask_review" for each row execute function charle.t26_log();
alter table public."subtask_review" enable always trigger charle_log;
drop trigger if exists charle_raise on public."subtask_review";
create constraint trigger charle_raise after insert or update or delete on public."subtask_review" deferrable initially deferred for each row execute function charle.raise();
alter table public."subtask_review" enable always trigger charle_raise;
create function charle.t26_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'team', 26, 'd'::"char", r."id" from public."subtask_review" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 26, 'd'::"char", r."id" from public."subtask_review" r, public."subtask" p1, public."task" p2, lateral (values (case when (r.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = r."subtask_id" and p2."id" = p1."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."subtask_review";
create trigger charle_truncate before truncate on public."subtask_review" for each statement execute function charle.t26_truncate();
alter table public."subtask_review" enable always trigger charle_truncate;
create function charle.t26_leave() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    is_in text;
begin
    if tg_op = 'UPDATE' and not (row(old."id", old."subtask_id", old."reviewer_kind")::pg_catalog.record operator(pg_catalog.*<>) row(new."id", new."subtask_id", new."reviewer_kind")::pg_catalog.record) then
        return new;
    end if;
    pending := charle.pending();
    perform charle.lock_rows(26, array[old."id"], false);
    perform charle.lock_rows(25, array(select distinct p1."id" from public."subtask" p1 where true and p1."id" = old."subtask_id"), false);
    for is_in in select distinct s.scope from public."subtask" p1, public."task" p2, lateral (values (case when (old.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = old."subtask_id" and p2."id" = p1."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f26d\x1f' || old."id";
    end loop;
    pending := set_config('charle.pending', pending, true);
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_leave on public."subtask_review";
create trigger zz_charle_leave before update or delete on public."subtask_review" for each row execute function charle.t26_leave();
alter table public."subtask_review" enable always trigger zz_charle_leave;
insert into charle.gate (tab, bucket) select 26, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t26_a1_s1() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(25, array[l."id"], true);
    perform charle.lock_rows(16, array(select distinct p2."id" from public."task" p2 where true and p2."id" = l."task_id"), true);
    perform charle.lock_rows(26, array(select distinct r."id" from public."subtask_review" r where true and l."id" = r."subtask_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."subtask_review" r, public."task" p2, lateral (values (case when (r.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and l."id" = r."subtask_id" and p2."id" = l."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f26u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t26_a1_s1_gone on public."subtask";
create trigger zz_charle_t26_a1_s1_gone before delete on public."subtask" for each row execute function charle.t26_a1_s1();
alter table public."subtask" enable always trigger zz_charle_t26_a1_s1_gone;
drop trigger if exists zz_charle_t26_a1_s1_from on public."subtask";
create trigger zz_charle_t26_a1_s1_from before update on public."subtask" for each row when (old."task_id" is distinct from new."task_id") execute function charle.t26_a1_s1();
alter table public."subtask" enable always trigger zz_charle_t26_a1_s1_from;
drop trigger if exists charle_t26_a1_s1_to on public."subtask";
create trigger charle_t26_a1_s1_to after update on public."subtask" for each row when (old."task_id" is distinct from new."task_id") execute function charle.t26_a1_s1();
alter table public."subtask" enable always trigger charle_t26_a1_s1_to;
create function charle.t26_a1_s1_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 26, 'd'::"char", r."id" from public."subtask_review" r, public."subtask" p1, public."task" p2, lateral (values (case when (r.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = r."subtask_id" and p2."id" = p1."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t26_a1_s1_truncate on public."subtask";
create trigger charle_t26_a1_s1_truncate before truncate on public."subtask" for each statement execute function charle.t26_a1_s1_truncate();
alter table public."subtask" enable always trigger charle_t26_a1_s1_truncate;
insert into charle.gate (tab, bucket) select 25, b from generate_series(0, 255) b on conflict do nothing;
create function charle.t26_a1_s2() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text := charle.pending();
    before text := pending;
    is_in text;
    key text;
    l record;
begin
    l := case when tg_when = 'BEFORE' then old else new end;
    perform charle.lock_rows(16, array[l."id"], true);
    perform charle.lock_rows(25, array(select distinct p1."id" from public."subtask" p1 where true and l."id" = p1."task_id"), true);
    perform charle.lock_rows(26, array(select distinct r."id" from public."subtask_review" r, public."subtask" p1 where true and p1."id" = r."subtask_id" and l."id" = p1."task_id"), true);
    for is_in, key in select distinct s.scope, r."id" from public."subtask_review" r, public."subtask" p1, lateral (values (case when (r.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) l."client_id" end)) s (scope) where true and p1."id" = r."subtask_id" and l."id" = p1."task_id" and s.scope is not null
    loop
        pending := pending || e'\x1e' || charle.clean(is_in) || e'\x1f26u\x1f' || key;
        if octet_length(pending) > 4000 then
            pending := charle.spill(pending);
        end if;
    end loop;
    if pending <> before then
        pending := charle.spill(pending);
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $charle$;
drop trigger if exists zz_charle_t26_a1_s2_gone on public."task";
create trigger zz_charle_t26_a1_s2_gone before delete on public."task" for each row execute function charle.t26_a1_s2();
alter table public."task" enable always trigger zz_charle_t26_a1_s2_gone;
drop trigger if exists zz_charle_t26_a1_s2_from on public."task";
create trigger zz_charle_t26_a1_s2_from before update on public."task" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t26_a1_s2();
alter table public."task" enable always trigger zz_charle_t26_a1_s2_from;
drop trigger if exists charle_t26_a1_s2_to on public."task";
create trigger charle_t26_a1_s2_to after update on public."task" for each row when (old."client_id" is distinct from new."client_id") execute function charle.t26_a1_s2();
alter table public."task" enable always trigger charle_t26_a1_s2_to;
create function charle.t26_a1_s2_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select distinct txn_, s.scope, 26, 'd'::"char", r."id" from public."subtask_review" r, public."subtask" p1, public."task" p2, lateral (values (case when (r.reviewer_kind = 'client') then 'portal:' operator(pg_catalog.||) p2."client_id" end)) s (scope) where true and p1."id" = r."subtask_id" and p2."id" = p1."task_id" and s.scope is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_t26_a1_s2_truncate on public."task";
create trigger charle_t26_a1_s2_truncate before truncate on public."task" for each statement execute function charle.t26_a1_s2_truncate();
alter table public."task" enable always trigger charle_t26_a1_s2_truncate;
insert into charle.gate (tab, bucket) select 16, b from generate_series(0, 255) b on conflict do nothing;
select charle.unstamp(29);
create function charle.t29_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."user_id" operator(pg_catalog.=) old."user_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f29u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f29u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1eleads\x1f29u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eleads\x1f29d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f29u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."user_id" operator(pg_catalog.=) old."user_id" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f29u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f29d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f29u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f29u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f29u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f29d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f29d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."schedule_item";
create trigger charle_log after insert or update or delete on public."schedule_item" for each row execute function charle.t29_log();
alter table public."schedule_item" enable always trigger charle_log;
drop trigger if exists charle_raise on public."schedule_item";
create constraint trigger charle_raise after insert or update or delete on public."schedule_item" deferrable initially deferred for each row execute function charle.raise();
alter table public."schedule_item" enable always trigger charle_raise;
create function charle.t29_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 29, 'd'::"char", r."id" from public."schedule_item" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 29, 'd'::"char", r."id" from public."schedule_item" r where true and r."user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."schedule_item";
create trigger charle_truncate before truncate on public."schedule_item" for each statement execute function charle.t29_truncate();
alter table public."schedule_item" enable always trigger charle_truncate;
select charle.unstamp(30);
create function charle.t30_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."user_id" operator(pg_catalog.=) old."user_id" and new."date" operator(pg_catalog.=) old."date" and new."schedule_item_id" operator(pg_catalog.=) old."schedule_item_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1eleads\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text, true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."date" operator(pg_catalog.=) old."date" and new."schedule_item_id" operator(pg_catalog.=) old."schedule_item_id" then e'\x1eleads\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text
            else coalesce(e'\x1eleads\x1f30d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."date", old."schedule_item_id")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1eleads\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text, '') end
            operator(pg_catalog.||) case when new."user_id" operator(pg_catalog.=) old."user_id" and new."date" operator(pg_catalog.=) old."date" and new."schedule_item_id" operator(pg_catalog.=) old."schedule_item_id" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f30d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."date", old."schedule_item_id")::pg_catalog.text, '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text, '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f30u\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(new."user_id", new."date", new."schedule_item_id")::pg_catalog.text, ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1eleads\x1f30d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."date", old."schedule_item_id")::pg_catalog.text, '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f30d\x1f' operator(pg_catalog.||) pg_catalog.jsonb_build_array(old."user_id", old."date", old."schedule_item_id")::pg_catalog.text, ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."schedule_allocation";
create trigger charle_log after insert or update or delete on public."schedule_allocation" for each row execute function charle.t30_log();
alter table public."schedule_allocation" enable always trigger charle_log;
drop trigger if exists charle_raise on public."schedule_allocation";
create constraint trigger charle_raise after insert or update or delete on public."schedule_allocation" deferrable initially deferred for each row execute function charle.raise();
alter table public."schedule_allocation" enable always trigger charle_raise;
create function charle.t30_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'leads', 30, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."date", r."schedule_item_id")::pg_catalog.text from public."schedule_allocation" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 30, 'd'::"char", pg_catalog.jsonb_build_array(r."user_id", r."date", r."schedule_item_id")::pg_catalog.text from public."schedule_allocation" r where true and r."user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."schedule_allocation";
create trigger charle_truncate before truncate on public."schedule_allocation" for each statement execute function charle.t30_truncate();
alter table public."schedule_allocation" enable always trigger charle_truncate;
select charle.unstamp(36);
create function charle.t36_log() returns trigger language plpgsql security definer as $charle$
#variable_conflict use_column
declare
    pending pg_catalog.text;
    is_in pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' and old operator(pg_catalog.*=) new then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end, true);
        return null;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' and new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" and new."user_id" operator(pg_catalog.=) old."user_id" then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) e'\x1epms\x1f36u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) new."id"
            operator(pg_catalog.||) e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) new."id", true);
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" then e'\x1epms\x1f36u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1epms\x1f36d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1epms\x1f36u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."client_id" operator(pg_catalog.=) old."client_id" then e'\x1eaccount:' operator(pg_catalog.||) new."client_id" operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f36d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end
            operator(pg_catalog.||) case when new."id" operator(pg_catalog.=) old."id" and new."user_id" operator(pg_catalog.=) old."user_id" then e'\x1euser:' operator(pg_catalog.||) new."user_id" operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) new."id"
            else coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f36d\x1f' operator(pg_catalog.||) old."id", '') operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '') end, true);
    elsif tg_op operator(pg_catalog.=) 'INSERT' then
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f36u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) charle.clean(new."client_id") operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) charle.clean(new."id"), '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) charle.clean(new."user_id") operator(pg_catalog.||) e'\x1f36u\x1f' operator(pg_catalog.||) charle.clean(new."id"), ''), true);
    else
        pending := pg_catalog.current_setting('charle.pending', true);
        pending := pg_catalog.set_config('charle.pending', case when pending operator(pg_catalog.=) ':' and pg_catalog.pg_try_advisory_xact_lock_shared(1128792063, pg_catalog.pg_backend_pid()) then pending when pending operator(pg_catalog.<>) '' then pending else charle.unmarked() end
            operator(pg_catalog.||) coalesce(e'\x1epms\x1f36d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1eaccount:' operator(pg_catalog.||) old."client_id" operator(pg_catalog.||) e'\x1f36d\x1f' operator(pg_catalog.||) old."id", '')
            operator(pg_catalog.||) coalesce(e'\x1euser:' operator(pg_catalog.||) old."user_id" operator(pg_catalog.||) e'\x1f36d\x1f' operator(pg_catalog.||) old."id", ''), true);
    end if;
    if pg_catalog.octet_length(pending) operator(pg_catalog.>) 4000 then
        pending := charle.spill(pending);
    end if;
    return null;
end $charle$;
drop trigger if exists charle_log on public."time_entry";
create trigger charle_log after insert or update or delete on public."time_entry" for each row execute function charle.t36_log();
alter table public."time_entry" enable always trigger charle_log;
drop trigger if exists charle_raise on public."time_entry";
create constraint trigger charle_raise after insert or update or delete on public."time_entry" deferrable initially deferred for each row execute function charle.raise();
alter table public."time_entry" enable always trigger charle_raise;
create function charle.t36_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $charle$
#variable_conflict use_column
declare
    pending text;
    txn_ int8;
begin
    select k.pending, k.txn into strict pending, txn_ from charle.keyed(charle.pending()) k;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'pms', 36, 'd'::"char", r."id" from public."time_entry" r where true;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'account:' operator(pg_catalog.||) r."client_id", 36, 'd'::"char", r."id" from public."time_entry" r where true and r."client_id" is not null;
    insert into charle.touched (txn, scope, tab, op, key) select txn_, 'user:' operator(pg_catalog.||) r."user_id", 36, 'd'::"char", r."id" from public."time_entry" r where true and r."user_id" is not null;
    pending := charle.spill(pending);
    return null;
end $charle$;
drop trigger if exists charle_truncate on public."time_entry";
create trigger charle_truncate before truncate on public."time_entry" for each statement execute function charle.t36_truncate();
alter table public."time_entry" enable always trigger charle_truncate;
