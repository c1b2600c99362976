// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include <particle/types.hpp>

using namespace particle;
using namespace std::string_view_literals;

namespace {

template <class T>
void refuses(std::initializer_list<std::string_view> rows) {
  for (const std::string_view text : rows) {
    CAPTURE(std::string(text));
    const auto parsed = T::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind() == Errc::invalid_argument);
    CHECK_FALSE(parsed.error().hint.empty());
  }
}

}  // namespace

TEST_CASE("vni: 1 to 2^24-1 is accepted, anything else refused") {
  CHECK(Vni::parse("1").value().value() == 1);
  CHECK(Vni::parse("16777215").value().value() == 16777215);
  CHECK(Vni::from(4096).value().value() == 4096);
  refuses<Vni>({"", "0", "16777216", "4294967297", "18446744073709551617", "-1", "+1", " 1", "1 ",
                "01", "0x10", "1.0", "1e3", "one", "1\0"sv});
  CHECK_FALSE(Vni::from(0));
  CHECK_FALSE(Vni::from(std::uint64_t{1} << 32U | 5U));
}

TEST_CASE("mtu: 68 to 65535 is accepted, anything else refused") {
  CHECK(Mtu::parse("68").value().value() == 68);
  CHECK(Mtu::parse("65535").value().value() == 65535);
  refuses<Mtu>({"", "0", "67", "65536", "-1500", "1500 ", "1500b", "1,500", "01500"});
  CHECK_FALSE(Mtu::from(67));
}

TEST_CASE("mac: well-formed unicast addresses are read in either case") {
  CHECK(Mac::parse("02:00:5E:10:00:fF").value().to_string() == "02:00:5e:10:00:ff");
  CHECK(Mac::parse("02:00:5e:10:00:01").value().is_locally_administered());
  CHECK_FALSE(Mac::parse("00:00:5e:10:00:01").value().is_locally_administered());
}

TEST_CASE("mac: malformed, multicast and zero addresses are refused") {
  refuses<Mac>({"", "02", "02:00:5e:10:00", "02:00:5e:10:00:", "02:00:5e:10:00:1",
                "02:00:5e:10:00:01:02", "02-00-5e-10-00-01", "0200.5e10.0001", "02005e100001",
                "02:00:5e:10:00:0g", " 2:00:5e:10:00:01", "02:00:5e:10:00:01 ", "2:0:5e:10:0:1",
                "01:00:5e:10:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00",
                "02:00:5e:10:00:\0\0"sv});
}

TEST_CASE("mac: a derived address is stable, local, unicast and its own for each seed") {
  CHECK(Mac::derive("tenant-a/node-1") == Mac::derive("tenant-a/node-1"));
  std::set<Mac> seen;
  for (int i = 0; i < 10000; ++i) {
    const Mac mac = Mac::derive("tenant/" + std::to_string(i));
    CHECK_FALSE(mac.is_multicast());
    CHECK(mac.is_locally_administered());
    seen.insert(mac);
  }
  CHECK(seen.size() == 10000);
  // Running systems hold these: a change of the hash would change the MAC of every pool.
  CHECK(Mac::derive("").to_string() == "f6:2a:15:e9:a9:b5");
  CHECK(Mac::derive("tenant-a").to_string() == "ca:c5:cf:1c:9d:dd");
}

TEST_CASE("device names: what the kernel takes is accepted, the rest refused") {
  for (const std::string_view name : {"a"sv, "eth0"sv, "p-0123456789.x"sv, "123456789012345"sv}) {
    CAPTURE(std::string(name));
    CHECK(check_device_name(name));
  }
  for (const std::string_view name : {""sv, "."sv, ".."sv, "1234567890123456"sv, "a/b"sv, "a:b"sv,
                                      "a b"sv, "a\tb"sv, "a\n"sv, "a\0b"sv}) {
    CAPTURE(std::string(name));
    const auto checked = check_device_name(name);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().kind() == Errc::invalid_argument);
  }
}
