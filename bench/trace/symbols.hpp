// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace particle::trace {

/// The kernel's functions by address.
class Symbols {
 public:
  /// Of this kernel. Without names (kernel.kptr_restrict) it is empty().
  static Symbols of_kernel();
  /// For tests: lines as /proc/kallsyms has them.
  static Symbols parse(std::istream& lines);

  [[nodiscard]] bool empty() const { return all_.empty(); }
  /// The function that holds `address`, without the compiler's suffixes (.isra.0); "?" for none.
  [[nodiscard]] std::string name_of(std::uint64_t address) const;
  /// Is there a function of this name?
  [[nodiscard]] bool contains(std::string_view name) const;

 private:
  struct Symbol {
    std::uint64_t address;
    std::string name;
  };
  std::vector<Symbol> all_;
};

}  // namespace particle::trace
