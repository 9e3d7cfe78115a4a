// SPDX-License-Identifier: MIT
#ifndef BATCHWRIGHT_DETAIL_CLASS_ID_HPP
#define BATCHWRIGHT_DETAIL_CLASS_ID_HPP

#include <array>
#include <cstddef>
#include <cstdint>

namespace batchwright::inline v0_1::detail {

/// The kinds of classes that metrics may be kept of.
enum class ClassKind : std::uint8_t { priority, lane, tenant };

inline constexpr std::size_t kClassKinds = 3;

/// A class of requests: an index into what is counted of all kinds.
using ClassId = std::uint32_t;

/// Of a request whose priority, lane or tenant is not counted.
inline constexpr ClassId kNoClass = 0xffff'ffff;

/// The classes of one request, by kind.
using ClassIds = std::array<ClassId, kClassKinds>;

inline constexpr ClassIds kNoClasses = {kNoClass, kNoClass, kNoClass};

}  // namespace batchwright::inline v0_1::detail

#endif  // BATCHWRIGHT_DETAIL_CLASS_ID_HPP
