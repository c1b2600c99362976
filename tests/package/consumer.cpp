// SPDX-License-Identifier: Apache-2.0
// A program of somebody else's: sees only what an installation of libparticle offers.
#include <iostream>
#include <string_view>

#include <particle/error.hpp>
#include <particle/ip.hpp>
#include <particle/version.hpp>

int main() {
  const auto prefix = particle::IpPrefix::parse("10.1.0.0/24");
  if (!prefix || prefix->to_string() != "10.1.0.0/24") {
    std::cerr << "a good prefix was not understood\n";
    return 1;
  }
  const auto wrong = particle::IpPrefix::parse("10.1.0.0/99");
  if (wrong || wrong.error().code != particle::Errc::invalid_argument) {
    std::cerr << "a bad prefix was not refused\n";
    return 1;
  }
  std::cout << "consumer of particle " << particle::kVersion << ": " << prefix->to_string() << '\n';
  return std::string_view(particle::kVersion) == CONSUMER_EXPECTS ? 0 : 1;
}
