//! The script that writes: on the server, in one go, so that nothing comes between a look at versions and the writes.
use bytes::Bytes;
use redis::ScriptInvocation;

/// Applies steps. Each has a key, and five arguments: the version it wants or nothing, `delete` or the seconds to live
/// (zero is for ever), whether it is a first write, `hash` or `document`, and the data. Answers 0, or the number of the step
/// that was refused.
///
/// The versions that the steps leave behind are followed first, so that a refusal changes nothing. An entry that a
/// first writer wrote is open only to those who know its version, as in Dapr's component. A key of another type, as
/// early versions of Dapr wrote, gives way; the versions of an entry go on when it changes its form.
pub(super) const APPLY: &str = r#"
local versions, guarded = {}, {}
local function look(key)
  local found = redis.pcall('HMGET', key, 'version', 'first-write')
  if not found.err then return tonumber(found[1] or 0), found[2] and true end
  local version = redis.pcall('JSON.GET', key, '.version')
  local first = redis.pcall('JSON.GET', key, '.first-write')
  return type(version) == 'string' and tonumber(version) or 0, type(first) == 'string'
end
for index, key in ipairs(KEYS) do
  local wanted, life, first = ARGV[index * 5 - 4], ARGV[index * 5 - 3], ARGV[index * 5 - 2]
  if versions[key] == nil then versions[key], guarded[key] = look(key) end
  local free = versions[key] == 0 and wanted == ''
  local right = wanted ~= '' and tonumber(wanted) == versions[key] and versions[key] > 0
  local open = wanted == '' and (life == 'delete' or not guarded[key])
  if not (free or right or open) then return index end
  if life == 'delete' then
    versions[key], guarded[key] = 0, nil
  else
    versions[key], guarded[key] = versions[key] + 1, guarded[key] or first == '1'
  end
end
for index, key in ipairs(KEYS) do
  local life, form, data = ARGV[index * 5 - 3], ARGV[index * 5 - 1], ARGV[index * 5]
  if life == 'delete' then
    redis.call('DEL', key)
  else
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= (form == 'hash' and 'hash' or 'ReJSON-RL') then redis.call('DEL', key) end
    local version = string.format('%d', versions[key])
    if form == 'hash' then
      redis.call('HSET', key, 'data', data, 'version', version)
      if guarded[key] then redis.call('HSET', key, 'first-write', 0) end
    else
      local first = guarded[key] and ',"first-write":0' or ''
      redis.call('JSON.SET', key, '$', '{"data":' .. data .. first .. ',"version":' .. version .. '}')
    end
    if life == '0' then redis.call('PERSIST', key) else redis.call('EXPIRE', key, life) end
  end
end
return 0
"#;

/// How an entry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Hash,
    /// A JSON document, whose data are JSON.
    Document,
}

/// One write or removal.
#[derive(Debug)]
pub(super) enum Step {
    Set { key: String, etag: Option<u64>, data: Bytes, first_write: bool, seconds: Option<u32>, form: Form },
    Delete { key: String, etag: Option<u64> },
}

impl Step {
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Set { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// Whether it comes to the same when it is done again, for all that nobody else writes the key meanwhile.
    pub(super) fn may_be_repeated(&self) -> bool {
        match self {
            Self::Set { etag, first_write, .. } => etag.is_none() && !first_write,
            Self::Delete { etag, .. } => etag.is_none(),
        }
    }

    /// Adds the key and the arguments of the step to a call of the script.
    pub(super) fn add_to(&self, call: &mut ScriptInvocation<'_>) {
        match self {
            Self::Set { key, etag, data, first_write, seconds, form } => {
                let form = if *form == Form::Document { "document" } else { "hash" };
                call.key(key).arg(version(*etag)).arg(seconds.unwrap_or_default());
                call.arg(u8::from(*first_write)).arg(form).arg(&data[..]);
            }
            Self::Delete { key, etag } => {
                call.key(key).arg(version(*etag)).arg("delete").arg(0).arg("").arg("");
            }
        }
    }
}

fn version(etag: Option<u64>) -> String {
    etag.map(|etag| etag.to_string()).unwrap_or_default()
}
