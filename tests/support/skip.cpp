// SPDX-License-Identifier: Apache-2.0
#include "support/skip.hpp"

#include <atomic>
#include <iostream>

namespace particle::test {
namespace {

std::atomic<int> skips = 0;

}  // namespace

void skip(std::string_view reason) {
  ++skips;
  std::cout << "SKIP: " << reason << std::endl;
}

void skip_component(std::string_view component, std::string_view reason) {
  ++skips;
  std::cout << "SKIP: component " << component << ": " << reason << std::endl;
}

int skip_count() {
  return skips;
}

}  // namespace particle::test
