// SPDX-License-Identifier: Apache-2.0
#include "record.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "files.hpp"

namespace particle::runtime {
namespace {

using Json = nlohmann::json;

constexpr int kRecordVersion = 1;
constexpr std::size_t kIdInHolder = 200;
constexpr std::size_t kDigitsInHolder = 12;

bool fits_holder(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == '.' ||
         letter == '-';
}

Error unreadable(const std::string& path, const std::string& why) {
  return Error::of(Errc::corrupt_state, path + ": " + why,
                   "remove its directory once the container is gone, then run `particle gc`");
}

}  // namespace

std::string to_text(const Record& record) {
  const Json json{{"version", kRecordVersion}, {"id", record.id},
                  {"root", record.root},       {"bundle", record.bundle},
                  {"node", record.node},       {"pool", record.pool},
                  {"holder", record.holder},   {"rewritten", record.rewritten}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Record> parse_record(const std::string& text, const std::string& path) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(unreadable(path, "it is no JSON object"));
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer()) {
    return fail(unreadable(path, "it has no version"));
  }
  if (*version != kRecordVersion) {
    return fail(Error::of(Errc::unsupported, path + " is of version " + version->dump(),
                          "use the particle-runc that wrote it"));
  }
  Record record;
  const std::array<std::pair<const char*, std::string*>, 7> words{
      {{"id", &record.id},
       {"root", &record.root},
       {"bundle", &record.bundle},
       {"node", &record.node},
       {"pool", &record.pool},
       {"holder", &record.holder},
       {"rewritten", &record.rewritten}}};
  for (const auto& [key, word] : words) {
    const auto value = json.find(key);
    if (value == json.end() || !value->is_string()) {
      return fail(unreadable(path, std::string("it has no ") + key));
    }
    *word = value->get<std::string>();
  }
  return record;
}

std::string checksum(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : text) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  }
  // FNV's upper digits hardly depend on the last letters: mix (Murmur's finalizer).
  for (const std::uint64_t factor : {0xff51afd7ed558ccdU, 0xc4ceb9fe1a85ec53U}) {
    hash = (hash ^ (hash >> 33U)) * factor;
  }
  hash ^= hash >> 33U;
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i > 0; --i, hash >>= 4U) {
    digits[i - 1] = "0123456789abcdef"[hash & 15U];
  }
  return digits;
}

std::string holder_name(const std::string& root, const std::string& id) {
  std::string name = id.substr(0, kIdInHolder);
  std::replace_if(name.begin(), name.end(), [](char letter) { return !fits_holder(letter); }, '_');
  if (name.empty() || std::isalnum(static_cast<unsigned char>(name.front())) == 0) {
    name.insert(0, "c");
  }
  // The NUL keeps ("/a", "b") and ("/", "ab") apart.
  return name + "." + checksum(root + '\0' + id).substr(0, kDigitsInHolder);
}

RecordPlace record_place(const std::string& run_dir, const std::string& node_id,
                         const std::string& holder) {
  return {run_dir + "/runtime/" + node_id + "/" + holder};
}

Result<std::optional<Record>> read_record(const RecordPlace& place) {
  auto text = read_file(place.record());
  if (!text) return fail(std::move(text.error()));
  if (!*text) return std::optional<Record>{};
  auto record = parse_record(**text, place.record());
  if (!record) return fail(std::move(record.error()));
  return std::optional<Record>(*std::move(record));
}

Result<void> write_record(const RecordPlace& place, const Record& record) {
  return replace_file(place.record(), to_text(record));
}

}  // namespace particle::runtime
