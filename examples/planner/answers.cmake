# SPDX-License-Identifier: MIT
# Runs the planner and looks at what it answers: its table, its JSON, its plot.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(fail)
  list(JOIN ARGN " " message)
  message(FATAL_ERROR "${message}")
endfunction()

# plan(<file> <argument>...): the JSON goes to that file, the table into `output`.
function(plan json)
  execute_process(COMMAND ${PLANNER} ${ARGN} --json ${json}
    RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    fail("${ARGN}: exit code ${code}: ${err}")
  endif()
  if(NOT err STREQUAL "")
    fail("${ARGN}: no terminal, so nothing belongs on stderr, but there is: ${err}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

# figure(<variable> <file> <index> <key>)
function(figure variable json index key)
  file(READ ${json} text)
  string(JSON value GET "${text}" ${index} ${key})
  set(${variable} ${value} PARENT_SCOPE)
endfunction()

# within(<what> <value> <low> <high>)
function(within what value low high)
  if(value LESS low OR value GREATER high)
    fail("${what} must be from ${low} to ${high}, got ${value}")
  endif()
endfunction()

set(v100 --service 0.1438,1.8874 --max-batch 32)

# Half of what full batches give: 4.57972 ms are the exact mean under the greedy policy.
plan(${WORK}/half.json --arrivals poisson:2465.64 ${v100} --policy greedy --requests 200000)
figure(policy ${WORK}/half.json 0 policy)
if(NOT policy STREQUAL "greedy")
  fail("the policy is ${policy}")
endif()
figure(mean ${WORK}/half.json 0 mean_ms)
within("the mean" ${mean} 4.53 4.63)
figure(p50 ${WORK}/half.json 0 p50_ms)
figure(p99 ${WORK}/half.json 0 p99_ms)
within("p50" ${p50} 4.0 ${p99})
figure(throughput ${WORK}/half.json 0 throughput)
within("the throughput" ${throughput} 2440 2490)
figure(goodput ${WORK}/half.json 0 goodput)
within("the goodput without an objective" ${goodput} ${throughput} ${throughput})
figure(batch ${WORK}/half.json 0 mean_batch)
within("the mean batch" ${batch} 5 12)
figure(dropped ${WORK}/half.json 0 dropped)
within("dropped" ${dropped} 0 0)

# The same seed gives the same to the last digit, another one does not.
plan(${WORK}/again.json --arrivals poisson:2465.64 ${v100} --policy greedy --requests 200000)
plan(${WORK}/other.json --arrivals poisson:2465.64 ${v100} --policy greedy --requests 200000 --seed 2)
file(READ ${WORK}/half.json half)
file(READ ${WORK}/again.json again)
file(READ ${WORK}/other.json other)
if(NOT half STREQUAL again OR half STREQUAL other)
  fail("the seed does not decide the result")
endif()

# All of them, with a plot. One object for each, in the order of the table.
plan(${WORK}/all.json --arrivals poisson:2465 ${v100} --objective 10 --requests 20000
  --plot ${WORK}/all.svg)
file(READ ${WORK}/all.json text)
string(JSON count LENGTH "${text}")
within("the number of policies" ${count} 8 20)
file(READ ${WORK}/all.svg svg)
math(EXPR last "${count} - 1")
foreach(index RANGE ${last})
  figure(policy ${WORK}/all.json ${index} policy)
  string(FIND "${output}" "${policy} " in_table)
  string(FIND "${svg}" "<title>${policy}</title>" in_plot)
  if(in_table LESS 0 OR in_plot LESS 0)
    fail("${policy} is not in the table, or not in the plot")
  endif()
  string(JSON keys LENGTH "${text}" ${index})
  within("the number of keys" ${keys} 8 8)
endforeach()
if(NOT output MATCHES "most within 10 ms: ")
  fail("the table says nothing of the objective: ${output}")
endif()
if(NOT svg MATCHES "^<svg xmlns=" OR NOT svg MATCHES "</svg>\n$" OR svg MATCHES "nan|inf")
  fail("the plot is no SVG of numbers")
endif()

# Clients that wait for their answers: a quorum gives N / (t0 + a N), greedy N / (2 t0 + a N).
plan(${WORK}/closed.json --arrivals closed:32,0 ${v100} --policy greedy
  --policy quorum:clients=32,max_wait_ms=100 --requests 20000)
figure(greedy ${WORK}/closed.json 0 throughput)
figure(quorum ${WORK}/closed.json 1 throughput)
within("greedy" ${greedy} 3815 3825)
within("quorum" ${quorum} 4926 4936)

# Bursts, and a trace and a curve from files.
plan(${WORK}/mmpp.json --arrivals mmpp:5000,20,500,80 ${v100} --policy greedy --requests 100000)
figure(throughput ${WORK}/mmpp.json 0 throughput)
within("the throughput of 5000/s for a fifth of the time and 500/s else" ${throughput} 1200 1600)

set(trace "TIMESTAMP,Tokens\n")
foreach(second RANGE 10 59)
  string(APPEND trace "2024-01-01 00:00:${second}.5000000,7\n")
endforeach()
file(WRITE ${WORK}/trace.csv "${trace}")
file(WRITE ${WORK}/curve.csv "size,ms\n1,2\n8,4\n32,10\n")
plan(${WORK}/trace.json --arrivals trace:${WORK}/trace.csv,100 --service ${WORK}/curve.csv
  --policy greedy --requests 1000)
figure(throughput ${WORK}/trace.json 0 throughput)
within("the throughput of a trace of one a second, 100 times as fast" ${throughput} 95 105)
figure(mean ${WORK}/trace.json 0 mean_ms)
within("the mean of single requests" ${mean} 2 2)

# A measured curve that falls: larger sizes than were measured take no less, and the table says it.
file(WRITE ${WORK}/fall.csv "size,ms\n1,2\n8,4.5\n16,4\n")
plan(${WORK}/fall.json --arrivals poisson:100 --service ${WORK}/fall.csv --max-batch 256 --policy greedy
  --requests 1000)
foreach(note IN ITEMS "of size 16 is below that of size 8" "sizes above 16 were not measured")
  if(NOT output MATCHES "${note}")
    fail("the table must say '${note}': ${output}")
  endif()
endforeach()

# A short overload: its arrivals are over before two batches are, and the table says it. What it asks for
# is enough.
set(overload --arrivals poisson:100000 --service 1,5 --policy greedy)
plan(${WORK}/short.json ${overload} --requests 1000)
if(NOT output MATCHES "may be off by a batch or more.*--requests ([0-9]+) would do")
  fail("the table must say that the rates are of too short a time: ${output}")
endif()
plan(${WORK}/enough.json ${overload} --requests ${CMAKE_MATCH_1})
figure(throughput ${WORK}/enough.json 0 throughput)
within("the answers of full batches" ${throughput} 820 865)
if(output MATCHES "may be off")
  fail("so many are enough: ${output}")
endif()

# Where nothing is answered nothing was fast.
plan(${WORK}/none.json ${overload} --objective 100 --deadlines --requests 1000)
if(NOT output MATCHES "greedy +- +- +- ")
  fail("without answers there is no latency: ${output}")
endif()

# Overload: what has deadlines is dropped instead of being late.
plan(${WORK}/over.json --arrivals poisson:9000 ${v100} --objective 20 --policy greedy --requests 50000)
plan(${WORK}/deadlines.json --arrivals poisson:9000 ${v100} --objective 20 --deadlines --policy greedy
  --requests 50000 --plot ${WORK}/deadlines.svg)
figure(late ${WORK}/over.json 0 goodput)
figure(good ${WORK}/deadlines.json 0 goodput)
figure(dropped ${WORK}/deadlines.json 0 dropped)
if(NOT good GREATER late OR NOT dropped GREATER 10000)
  fail("with deadlines ${good}/s are in time, without ${late}/s; ${dropped} are dropped")
endif()

# Their plot shows what is in time, in overload too: all of it, and at 9862/s, the right end, not half.
file(READ ${WORK}/deadlines.svg svg)
if(NOT svg MATCHES "answered in time, %" OR svg MATCHES ">mean</text>")
  fail("the plot does not show what is in time")
endif()
if(NOT svg MATCHES "points=\"([0-9]+\\.[0-9],56\\.0 )+.* [0-9]+\\.[0-9],(2[1-9][0-9]|3[0-9][0-9])\\.[0-9] \"")
  fail("not all are in time at low loads, or too many in overload")
endif()

# On a terminal the progress moves within a simulation, too.
find_program(SCRIPT script)
if(SCRIPT)
  execute_process(
    COMMAND ${SCRIPT} -qec "'${PLANNER}' --arrivals poisson:100 --service 1,5 --policy greedy --requests 1000" /dev/null
    RESULT_VARIABLE code OUTPUT_VARIABLE shown)
  if(NOT code EQUAL 0 OR NOT shown MATCHES "\\.\\] 25 % greedy.*#\\.+\\] 75 % greedy")
    fail("the progress does not move: ${shown}")
  endif()
endif()

execute_process(COMMAND ${PLANNER} --help RESULT_VARIABLE code OUTPUT_VARIABLE help)
if(NOT code EQUAL 0 OR NOT help MATCHES "--arrivals")
  fail("--help: exit code ${code}")
endif()
