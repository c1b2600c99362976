// SPDX-License-Identifier: Apache-2.0
/// JSON files that name their format and its version: refused in words when they are something else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>

namespace particle::bench {

struct DocumentKind {
  std::string_view format;
  std::uint64_t version;
  std::string_view name;        ///< "result of particle bench"
  std::string_view written_by;  ///< "particle bench --out FILE"
};

/// Parses `text` and hands it to `read`, whose exceptions for missing keys and wrong types
/// (nlohmann's) become errors. `file` is for the error. Pure.
/// Errors: invalid_argument.
template <class Read>
auto read_document(std::string_view text, const std::string& file, const DocumentKind& kind,
                   Read read) -> Result<decltype(read(nlohmann::ordered_json()))> {
  using Tree = nlohmann::ordered_json;
  const auto refused = [&](const std::string& why, const std::string& hint) {
    return fail(Error::of(Errc::invalid_argument, "read " + file + ": " + why, hint));
  };
  const std::string give = "give a file that `" + std::string(kind.written_by) + "` wrote";
  const Tree json = Tree::parse(text, nullptr, false);
  if (json.is_discarded()) return refused("it is no JSON", give);
  if (!json.is_object() || json.value("format", Tree()) != kind.format) {
    return refused("it is no " + std::string(kind.name), give);
  }
  if (const Tree version = json.value("version", Tree()); version != kind.version) {
    return refused("it has version " + version.dump() +
                       " of the format, and this program reads version " +
                       std::to_string(kind.version),
                   "use the particle that wrote it, or make it anew");
  }
  try {
    return read(json);
  } catch (const Tree::exception& error) {
    return refused(error.what(), give);
  }
}

}  // namespace particle::bench
