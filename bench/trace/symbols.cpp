// SPDX-License-Identifier: Apache-2.0
#include "trace/symbols.hpp"

#include <algorithm>
#include <fstream>
#include <istream>

namespace particle::trace {
namespace {

/// "inet_rtm_newaddr.isra.0" and "do_exit.cold" are the functions before the point.
std::string without_suffix(std::string name) {
  const auto point = name.find('.');
  if (point != std::string::npos && point > 0) name.resize(point);
  return name;
}

}  // namespace

Symbols Symbols::of_kernel() {
  std::ifstream file("/proc/kallsyms");
  return parse(file);
}

Symbols Symbols::parse(std::istream& lines) {
  Symbols out;
  for (std::string line; std::getline(lines, line);) {
    char* end = nullptr;
    const std::uint64_t address = std::strtoull(line.c_str(), &end, 16);
    // "ffffffff81e6d0d0 T name[ \t[module]]"; zeros stand for addresses that are hidden.
    if (address == 0 || end == nullptr || end[0] != ' ') continue;
    const char kind = end[1];
    if (kind != 't' && kind != 'T' && kind != 'w' && kind != 'W') continue;
    const std::string rest(end + 3);
    out.all_.push_back({address, without_suffix(rest.substr(0, rest.find_first_of("\t ")))});
  }
  std::sort(out.all_.begin(), out.all_.end(),
            [](const Symbol& a, const Symbol& b) { return a.address < b.address; });
  return out;
}

std::string Symbols::name_of(std::uint64_t address) const {
  const auto above =
      std::upper_bound(all_.begin(), all_.end(), address,
                       [](std::uint64_t at, const Symbol& symbol) { return at < symbol.address; });
  return above == all_.begin() ? "?" : std::prev(above)->name;
}

bool Symbols::contains(std::string_view name) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const Symbol& symbol) { return symbol.name == name; });
}

}  // namespace particle::trace
