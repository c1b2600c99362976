// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cerrno>
#include <initializer_list>
#include <ios>
#include <ostream>
#include <set>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <particle/error.hpp>
#include <particle/unique_fd.hpp>

using namespace particle;

TEST_CASE("error: a message is the operation, the reason and the kernel's own words") {
  Error error = Error::from_errno(EEXIST, "RTM_NEWADDR 10.0.0.7/32 dev 2", "a hint");
  CHECK(error.message() == "RTM_NEWADDR 10.0.0.7/32 dev 2: File exists");
  error.kernel_message = "Exact address already assigned";
  CHECK(error.message() ==
        "RTM_NEWADDR 10.0.0.7/32 dev 2: File exists (Exact address already assigned)");
  CHECK(Error::of(Errc::busy, "pool a").message() == "pool a: in use");
  CHECK(Error::of(Errc::busy, "").message() == "in use");
}

TEST_CASE("error: every kind has words of its own") {
  std::set<std::string> words;
  for (int code = 1; code <= static_cast<int>(Errc::kernel); ++code) {
    words.insert(make_error_code(static_cast<Errc>(code)).message());
  }
  CHECK(words.size() == static_cast<std::size_t>(Errc::kernel));
  CHECK(error_category().message(999) == "unknown error");
  CHECK(std::string(error_category().name()) == "particle");
}

TEST_CASE("error: errno values are sorted into kinds, in both standard categories") {
  const std::initializer_list<std::pair<int, Errc>> rows{
      {EINVAL, Errc::invalid_argument},
      {ENOENT, Errc::not_found},
      {ENODEV, Errc::not_found},
      {ESRCH, Errc::not_found},
      {EADDRNOTAVAIL, Errc::not_found},
      {EEXIST, Errc::already_exists},
      {EPERM, Errc::permission_denied},
      {EACCES, Errc::permission_denied},
      {EOPNOTSUPP, Errc::unsupported},
      {ENOSYS, Errc::unsupported},
      {EBUSY, Errc::busy},
      {ENOSPC, Errc::exhausted},
      {ENOMEM, Errc::exhausted},
      {EMFILE, Errc::exhausted},
      {EIO, Errc::io},
      {ECANCELED, Errc::interrupted},
      {ENOTCONN, Errc::kernel},
  };
  for (const auto& [number, kind] : rows) {
    CAPTURE(number);
    CHECK(classify({number, std::generic_category()}) == kind);
    CHECK(classify({number, std::system_category()}) == kind);
  }
  CHECK(classify(make_error_code(Errc::corrupt_state)) == Errc::corrupt_state);
  CHECK(classify(std::make_error_code(std::io_errc::stream)) == Errc::kernel);
}

TEST_CASE("unique fd: a descriptor is closed once, moved and duplicated with CLOEXEC") {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(first.valid());
  const int number = first.get();
  UniqueFd second = std::move(first);
  CHECK(second.get() == number);
  CHECK_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): what a moved-from one is
  auto copy = second.duplicate();
  REQUIRE(copy);
  CHECK((::fcntl(copy->get(), F_GETFD) & FD_CLOEXEC) != 0);
  second.reset();
  CHECK(::fcntl(number, F_GETFD) == -1);
  CHECK_FALSE(second.duplicate());
  CHECK(UniqueFd{}.duplicate().error().code == std::errc::bad_file_descriptor);
  const int released = copy->release();
  CHECK_FALSE(copy->valid());
  CHECK(::close(released) == 0);
}
