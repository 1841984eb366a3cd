// Package javagolden compares, in tests, what our code does with what the JVM's did: it
// reads and writes the forms that the golden files of the converters and transforms have.
//
// A schema is an object of its attributes. A value is an object with its type as the only
// key, such as {"int8":1}; null, text and booleans are themselves, arrays lists, maps lists
// of pairs. ReadLines reads what was recorded of running JVM workers.
package javagolden
