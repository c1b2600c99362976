// SPDX-License-Identifier: Apache-2.0
/// cni-plugin/static/libmnl.cpp, compiled under other names, beside the real library.
#include <libmnl/libmnl.h>

#include <array>
#include <cstring>
#include <string_view>

#include <doctest/doctest.h>

#define mnl_nlmsg_put_header own_nlmsg_put_header
#define mnl_nlmsg_put_extra_header own_nlmsg_put_extra_header
#define mnl_attr_put_check own_attr_put_check
#define mnl_attr_nest_start_check own_attr_nest_start_check
#define mnl_attr_nest_end own_attr_nest_end
#include "../../cni-plugin/static/libmnl.cpp"  // NOLINT(bugprone-suspicious-include)
#undef mnl_nlmsg_put_header
#undef mnl_nlmsg_put_extra_header
#undef mnl_attr_put_check
#undef mnl_attr_nest_start_check
#undef mnl_attr_nest_end

namespace {

/// The functions of one implementation.
struct Writer {
  decltype(&mnl_nlmsg_put_header) header;
  decltype(&mnl_nlmsg_put_extra_header) extra;
  decltype(&mnl_attr_put_check) put;
  decltype(&mnl_attr_nest_start_check) nest;
  decltype(&mnl_attr_nest_end) end;
};

constexpr Writer kReal{mnl_nlmsg_put_header, mnl_nlmsg_put_extra_header, mnl_attr_put_check,
                       mnl_attr_nest_start_check, mnl_attr_nest_end};
constexpr Writer kOwn{own_nlmsg_put_header, own_nlmsg_put_extra_header, own_attr_put_check,
                      own_attr_nest_start_check, own_attr_nest_end};

constexpr std::size_t kRoom = 64;

struct Written {
  /// Zero: Debian's libmnl leaves padding as it finds it, ours clears it.
  alignas(nlmsghdr) std::array<unsigned char, 256> bytes{};
  std::array<bool, 5> fitted{};
  bool operator==(const Written&) const = default;
};

/// A header of `extra` bytes, then nests of attributes of `size` bytes until the room is used up.
Written write(const Writer& writer, std::size_t extra, std::size_t size) {
  Written out;
  constexpr std::string_view kText = "a payload of up to thirty-two bytes";
  nlmsghdr* message = writer.header(out.bytes.data());
  writer.extra(message, extra);
  nlattr* outer = writer.nest(message, kRoom, 7);
  out.fitted[0] = outer != nullptr;
  out.fitted[1] = writer.put(message, kRoom, 3, size, kText.data());
  nlattr* inner = writer.nest(message, kRoom, 0x1234);
  out.fitted[2] = inner != nullptr;
  out.fitted[3] = writer.put(message, kRoom, 4, size, kText.data());
  if (inner != nullptr) writer.end(message, inner);
  if (outer != nullptr) writer.end(message, outer);
  out.fitted[4] = writer.put(message, kRoom, 5, 0, nullptr);
  return out;
}

}  // namespace

TEST_CASE("static libmnl: writes what the real library writes, and refuses where it refuses") {
  std::size_t refused = 0;
  for (const std::size_t extra : {0UL, 1UL, 4UL, 16UL, 20UL}) {
    for (std::size_t size = 0; size <= 32; ++size) {
      CAPTURE(extra);
      CAPTURE(size);
      const Written real = write(kReal, extra, size);
      CHECK(write(kOwn, extra, size) == real);
      for (const bool fitted : real.fitted) refused += fitted ? 0 : 1;
    }
  }
  CHECK(refused > 50);
}
